"""Parameter counts of Dual Encoding at the sizes of MSR-VTT, as a person asks for them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.models.dual_encoding import Config

TOTALS = {  # of the released model, layer by layer; Dual Encoding++ says 0.83 of the parameters
    "dual-encoding": 69_168_604,
    "dual-encoding-plus": 69_168_604,
    "dual-encoding-plus-uni": 57_369_052,
    "dual-encoding-latent": 60_187_612,
}


@pytest.mark.parametrize("method", TOTALS)
def test_recipes_have_the_published_size(method: str) -> None:
    done = CliRunner().invoke(app, ["describe", f"msrvtt-official/{method}", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["total"] == TOTALS[method]
    assert (told["trainable"], told["frozen"]) == (told["total"], 0)
    assert sum(part["total"] for part in told["parts"].values()) == told["total"]


def test_the_size_of_one_direction_is_that_of_the_paper() -> None:
    assert round(TOTALS["dual-encoding-plus-uni"] / TOTALS["dual-encoding"], 2) == 0.83


def test_a_model_is_described_where_its_encoder_is_not_at_hand(tmp_path: Path) -> None:
    away = {"encoder": "encoder-of-somebody", "encoder_fingerprint": "f00"}
    Config.tiny().model_copy(update=away).build().save_pretrained(tmp_path)
    done = CliRunner().invoke(app, ["describe", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
