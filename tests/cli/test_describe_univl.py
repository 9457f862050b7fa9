"""Parameter counts of UniVL and of MELTR beside it, as a person asks for them."""

import json

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.meltr import transformer

WHOLE = 199_535_989  # every head, shared weights once
POOLERS = 2 * (768 * 768 + 768)  # of text and of video: in the release, and read by no loss
MELTR = 562_688  # of eight losses, in the sizes of the authors' code


@pytest.mark.parametrize(
    "name",
    [
        *("youcook2/univl-meltr", "youcook2/univl-meltr-minus", "youcook2/univl-caption-meltr"),
        *("youcook2/univl-caption-speech-meltr", "msrvtt-full/univl-caption-meltr"),
        *("msrvtt-7k/univl-meltr", "msrvtt-9k/univl-meltr"),
    ],
)
def test_recipes_have_the_published_sizes(name: str) -> None:
    done = CliRunner().invoke(app, ["describe", name, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["total"], told["meltr"]) == (WHOLE, MELTR)
    assert (told["trainable"], told["frozen"]) == (WHOLE - POOLERS, POOLERS)


def test_without_meltr_there_is_none() -> None:
    done = CliRunner().invoke(app, ["describe", "youcook2/univl", "--json"])
    told = json.loads(done.stdout)
    assert told["total"] == WHOLE
    assert "meltr" not in told


def test_meltr_stands_below_the_sum_in_a_terminal() -> None:
    done = CliRunner().invoke(app, ["describe", "youcook2/univl-meltr"])
    lines = [line for line in done.stdout.splitlines() if "MELTR" in line or "in all" in line]
    assert "199,535,989" in lines[0]
    assert "562,688" in lines[1]


def test_every_recipe_with_meltr_is_counted() -> None:
    """Dual Encoding has four losses: a row of 256 for each less than eight."""
    done = CliRunner().invoke(app, ["describe", "toybox/dual-encoding-meltr", "--json"])
    assert json.loads(done.stdout)["meltr"] == MELTR - 4 * 256


def test_a_clip_is_described_with_meltr_over_its_one_loss() -> None:
    told = ["describe", "toybox/vop", "--set", "meltr.scheme=neumann", "--json"]
    done = CliRunner().invoke(app, told)
    assert done.exit_code == 0, done.output
    alone = transformer.Config(tasks=("contrastive",)).build()
    assert json.loads(done.output)["meltr"] == sum(w.numel() for w in alone.parameters())


@pytest.mark.parametrize(
    ("name", "answers"), [("toybox-motion/univl", 9), ("toybox-what/univl", 15)]
)
def test_a_closed_list_that_training_fills_in_is_counted_by_its_size(
    name: str, answers: int
) -> None:
    done = CliRunner().invoke(app, ["describe", name, "--json"])
    assert done.exit_code == 0, done.output
    head = json.loads(done.stdout)["parts"]["answer_dense"]
    assert head["total"] == (64 + 1) * answers
