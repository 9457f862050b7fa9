"""Runs that stand on earlier runs: their weights as a start, or as the CLIP below."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from typer.testing import CliRunner, Result

from reeltune.cli.app import app
from reeltune.errors import CheckpointError, ConfigError
from reeltune.models import dual_encoding, tuned, vop
from reeltune.models._adapter import open_base
from reeltune.models._dual_encoding._start import start_with
from reeltune.models._dual_encoding._vocabulary import Vocabulary
from reeltune.models.opening.initial import take_weights
from reeltune.models.opening.open import open_model
from reeltune.recipes.read import read_recipe
from reeltune.runs.describe import describe
from reeltune.runs.finished import model_card, stands_on
from reeltune.runs.tune import start
from reeltune.tasks.finding.reports import read_report

SMALL = ("--set", "options.size=tiny", "--set", "frames=4")
TINY = (*SMALL, "--set", "training.epochs=1")
STILL = ("--set", "training.lr=0")  # training that changes no weight


def run(*arguments: object) -> Result:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done


def refused(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 1, done.output
    return done.stderr


def figures(folder: Path) -> dict[str, float]:
    return json.loads((folder / "metrics.json").read_text())["t2v"]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP all of whose weights were trained."""
    out = tmp_path_factory.mktemp("runs") / "full"
    run("train", "toybox/full", *TINY, "--set", "training.lr=1e-3", "--out", out, "--json")
    return out


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prompts of VoP, as they are drawn."""
    out = tmp_path_factory.mktemp("runs") / "vop"
    vop.Config(base="tiny-clip").start().model.save_pretrained(out)
    return out


def test_training_that_changes_nothing_ends_where_it_started(full: Path, tmp_path: Path) -> None:
    out = tmp_path / "on"
    done = run("train", "toybox/full", *TINY, *STILL, "--init", full, "--out", out, "--json")
    assert figures(out) == figures(full)
    weights = len(dict(open_model(str(full)).named_parameters()))
    told = f"training starts from {full}: {weights} of {weights} weights are its"
    assert json.loads(done.stdout)["said"] == [told]
    assert f"- {told}" in (out / "README.md").read_text()
    stored = yaml.safe_load((out / "recipe.yaml").read_text())
    assert stored["init"] == str(full)
    assert len(stored["init_pin"]) == 32
    begun = f"begun from the weights of {full}, whose content has the hash {stored['init_pin']}"
    assert begun in (out / "README.md").read_text()
    assert "begun from the weights" not in (full / "README.md").read_text()


def test_the_card_names_the_release_that_training_began_from(full: Path) -> None:
    below = stands_on(read_recipe("youcook2/univl").config, None, None)
    card = model_card("youcook2/univl", 3, below, read_report(full / "metrics.json"))
    assert "Made by `reeltune train youcook2/univl` with seed 3;" in card
    assert "begun from the weights of univl-pretrained) and of the dataset (toybox)" in card


def test_the_start_is_part_of_a_run(full: Path, tmp_path: Path) -> None:
    plain = read_recipe("toybox/full", {"options.size": "tiny"})
    on = read_recipe("toybox/full", {"options.size": "tiny", "init": str(full)})
    assert on != plain
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(on.model_dump(mode="json")))
    assert read_recipe(str(path)) == on
    path.write_text(path.read_text().replace(str(on.init_pin), "f" * 32))
    with pytest.raises(ConfigError, match=r"starts from .*full, whose weights are others now"):
        read_recipe(str(path))


def test_what_fits_is_taken_and_the_rest_is_named(prompts: Path) -> None:
    parts = (vop.Text(), vop.Generic(length=4), vop.Position())
    model = vop.Config(base="tiny-clip", prompts=parts).start().model
    before = {name: weight.clone() for name, weight in model.trained().items()}
    said = take_weights(model, "vop", prompts)
    given = vop.load(prompts).trained()
    assert said[0] == f"training starts from {prompts}: 1 of 3 weights are its"
    assert [sentence.partition(":")[0] for sentence in said[1:]] == [
        "not in it, and start anew",
        "of another shape, and start anew",
    ]
    for name, weight in model.trained().items():
        torch.testing.assert_close(weight, given[name] if "text" in name else before[name])


def test_another_base_is_named(prompts: Path, full: Path) -> None:
    model = vop.Config(base=str(full)).start().model
    said = take_weights(model, "vop", prompts)
    assert said[-1] == f"{prompts} stood on tiny-clip, and this model stands on {full}"


def test_a_run_that_cannot_be_started_from_is_refused(
    full: Path, prompts: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"--init .*nothing is no folder that training wrote"):
        read_recipe("toybox/vop", {"init": str(tmp_path / "nothing")})
    model = vop.Config(base="tiny-clip").start().model
    with pytest.raises(
        CheckpointError, match=r"is a tuned, and the recipe trains a vop.*--set config\.base=.*full"
    ):
        take_weights(model, "vop", full)
    lora = tuned.Config(base="tiny-clip", method="adapter-ffn").start().model
    with pytest.raises(CheckpointError, match=r"none of its \d+ weights has the name and the shap"):
        take_weights(lora, "tuned", full)


def test_frozen_weights_are_not_replaced(full: Path) -> None:
    """What a run does not store must stay that of its base, or it opens as another model."""
    model = tuned.Config(base="tiny-clip", method="bias").start().model
    frozen = {n: w.clone() for n, w in model.named_parameters() if not w.requires_grad}
    said = take_weights(model, "tuned", full)
    assert "in it, and without a place here" in said[1]
    assert all(torch.equal(frozen[n], w) for n, w in model.named_parameters() if n in frozen)


def test_a_run_of_full_is_a_clip_to_stand_on(full: Path, tmp_path: Path) -> None:
    """Zero-shot on it has the very figures of the run, and prompts on it open again."""
    zero = tmp_path / "zero"
    run(
        "train", "toybox/zero-shot", *SMALL, "--set", f"config.base={full}", "--out", zero, "--json"
    )
    assert figures(zero) == figures(full)
    stood = vop.Config(base=str(full)).start().model
    stood.save_pretrained(tmp_path / "stood")
    again = open_model(str(tmp_path / "stood"))
    assert again.fingerprint == stood.fingerprint
    assert again.fingerprint != vop.Config(base="tiny-clip").start().model.fingerprint
    assert isinstance(start(str(full), None), vop.Vop), "tune takes it as well"


def test_it_keeps_its_name_in_half_precision_and_is_counted_without_weights(full: Path) -> None:
    assert open_base(str(full), "cpu", "bf16").fingerprint == open_base(str(full)).fingerprint
    on_it = describe("toybox/vop", {"config.base": str(full)})
    assert {**on_it, "name": ""} == {**describe("toybox/vop"), "name": ""}


def test_a_run_that_put_something_into_the_towers_is_no_clip(tmp_path: Path) -> None:
    tuned.Config(base="tiny-clip", method="adapter-attn").start().model.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"is no CLIP.*or a run of full, bias, proj or partial"):
        vop.Config(base=str(tmp_path)).start()


def test_a_dual_encoding_goes_on_with_the_words_it_has(tmp_path: Path) -> None:
    """More words are known of the captions now, and its rows are of those it was trained on."""
    small = (
        *("--set", "options.size=tiny", "--set", "training.epochs=1", "--set", "features.every=1"),
        *("--set", "config.hidden=8", "--set", "config.filters=4", "--set", "config.latent=16"),
        *("--set", "config.embedding=8", "--set", "config.concepts=8"),
    )
    first, on = tmp_path / "first", tmp_path / "on"
    run("train", "toybox/dual-encoding", *small, "--set", "words.at_least=9", "--out", first)
    more = ("--init", first, *STILL)  # by default a word must occur 5 times
    done = run("train", "toybox/dual-encoding", *small, *more, "--out", on, "--json")
    said = json.loads(done.stdout)["said"]
    assert any(sentence.endswith(f"words are those of {first}") for sentence in said)
    assert (on / "vocabulary.json").read_text() == (first / "vocabulary.json").read_text()
    assert open_model(str(on)).config.words == open_model(str(first)).config.words
    assert not any("concept" in sentence for sentence in said), "the same captions, so the same"
    assert open_model(str(on)).concept_names == open_model(str(first)).concept_names != ()
    there = refused("train", "toybox/univl", "--init", first, *TINY[:2], "--out", tmp_path / "u")
    assert "is a dual-encoding, and the recipe trains a univl" in there


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("dog", "ball", "run"), "of other concepts there"),
        ((), "of concepts whose names it does not say"),
    ],
)
def test_weights_of_other_concepts_start_anew(
    names: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    """As many concepts in another order have the same shapes, and mean other things."""
    config = dual_encoding.Config.tiny().model_copy(update={"concepts": 3})
    words = Vocabulary.stand_in(16)
    start_with(config, words, concept_names=names).save_pretrained(tmp_path)
    model = start_with(config, words, concept_names=("ball", "dog", "run"))
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    said = take_weights(model, "dual-encoding", tmp_path)
    given = dual_encoding.load(tmp_path).state_dict()
    heads = {name for name in given if ".space.concept" in name}
    shown = sorted(heads & before.keys())[:3]
    told = f"{why}, without a place here, and start anew: {', '.join(shown)} and 11 more"
    assert said[1:] == [told]
    assert len(heads) == 14
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, (before if name in heads else given)[name])


def test_a_damaged_list_of_concepts_is_refused(tmp_path: Path) -> None:
    config = dual_encoding.Config.tiny()
    start_with(config, Vocabulary.stand_in(16), concept_names="abcde").save_pretrained(tmp_path)
    assert dual_encoding.load(tmp_path).concept_names == tuple("abcde")
    for text, message in (
        ('["a"]', r"names 1 concept, and config\.yaml says 5; take both from the same place"),
        ("{}", r"concepts\.json is not a list of names; take it from where"),
        ("[", r"concepts\.json cannot be read as JSON .*; take it from where"),
    ):
        (tmp_path / "concepts.json").write_text(text)
        with pytest.raises(CheckpointError, match=message):
            dual_encoding.load(tmp_path)
