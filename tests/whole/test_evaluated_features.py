"""A checkpoint of stored features is measured on the features it was trained on."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from reeltune.cli.app import app
from reeltune.data.toybox import Config
from reeltune.errors import ConfigError, ReeltuneError
from reeltune.evaluation.retrieval import Report
from reeltune.models.opening.open import open_model
from reeltune.models.opening.weights import read_tensors, write_card
from reeltune.recipes.read import read_recipe
from reeltune.recipes.stored import as_stored, stored_recipe, write_recipe
from reeltune.runs.clip_source import FEATURES
from reeltune.runs.evaluate import evaluate_opened
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.runs.place import RunPlace
from reeltune.storage.cache import cache_folder

SMALL = (
    *("options.size=tiny", "training.epochs=2", "training.batch=16", "config.hidden=8"),
    *("config.filters=4", "config.latent=16", "config.concepts=8", "features.at_most=6"),
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "dual-encoding"
    changes = [word for change in SMALL for word in ("--set", change)]
    done = run("train", "toybox/dual-encoding", *changes, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    return out


def test_figures_are_those_of_training_to_the_last_digit(trained: Path, tmp_path: Path) -> None:
    made = list((cache_folder() / FEATURES).iterdir())
    path = tmp_path / "again.json"
    done = run("evaluate", trained, "--out", path, "--json")
    assert done.exit_code == 0, done.output
    first, again = (json.loads(p.read_text()) for p in (trained / "metrics.json", path))
    assert again["protocol"].pop("model") == str(trained)
    first["protocol"].pop("model")
    left_out = first["protocol"]["left_out"]
    assert [entry["count"] for entry in left_out.pop("train")] == [8], "24 videos, batches of 16"
    assert again == first
    assert "at most 6" in again["protocol"]["frames"]
    assert list((cache_folder() / FEATURES).iterdir()) == made, "no features are made again"


def test_what_was_trained_searches_by_its_own_score(trained: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for pair in Config(size="tiny").read("test").pairs:
        shutil.copy(pair.path, clips)
    library = tmp_path / "library"
    indexed = run("index", clips, "--library", library, "--model", trained, "--json")
    assert indexed.exit_code == 0, indexed.output
    assert run("library", "verify", library).exit_code == 0
    done = run("search", "a red square moves left", "--library", library, "--json", "-k", 3)
    assert done.exit_code == 0, done.output
    hits = json.loads(done.stdout)
    assert len(hits) == 3
    assert [hit["score"] for hit in hits] == sorted((h["score"] for h in hits), reverse=True)


def test_a_pruned_one_has_ranges_of_its_own(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "pruned"
    done = run("prune", trained, "--amount", 0.1, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    stored = read_tensors(out / "model.safetensors")["divisors"]
    assert not stored.equal(read_tensors(trained / "model.safetensors")["divisors"])
    model: Any = open_model(str(out), "cpu")
    recipe = stored_recipe(out)
    evaluate_opened(model, out, recipe, RunPlace(out=tmp_path), "val", settle=True)
    torch.testing.assert_close(model.divisors, stored)


def test_settings_can_still_be_changed(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "val.json"
    done = run(
        *("evaluate", trained, "--set", "features.at_most=2", "--split", "val", "--out", path)
    )
    assert done.exit_code == 0, done.output
    card = json.loads(path.read_text())["protocol"]
    assert (card["split"], card["dataset"]) == ("val", "toybox")
    assert "at most 2" in card["frames"]


def test_the_rule_of_video_to_text_is_that_of_the_recipe_in_figures_and_card(
    trained: Path, tmp_path: Path
) -> None:
    found = {}
    for rule in ("grouped", "any"):
        path = tmp_path / f"{rule}.json"
        done = run("evaluate", trained, "--set", f"v2t={rule}", "--out", path)
        assert done.exit_code == 0, done.output
        assert f"v2t ({rule})" in done.output
        found[rule] = Report.read(path)
        assert found[rule].protocol.v2t == rule
    assert found["any"].t2v == found["grouped"].t2v
    assert found["any"].v2t["R@1"] == found["grouped"].v2t["R@1"]
    assert found["any"].v2t["MnR"] > found["grouped"].v2t["MnR"], "more captions compete"
    assert "| video to text (grouped) |" in (trained / "README.md").read_text()


def test_a_converted_model_is_measured_as_the_benchmarks_own_method(tmp_path: Path) -> None:
    write_card(tmp_path / "univl", "univl", {})
    write_card(tmp_path / "de", "dual-encoding", {"feature": "clip", "encoder": "tiny-clip"})
    write_card(tmp_path / "vop", "vop", {})
    assert evaluation_recipe(str(tmp_path / "univl"), "youcook2", {}).name == "youcook2/univl"
    recipe = evaluation_recipe(str(tmp_path / "de"), "msrvtt-official", {})
    assert (recipe.name, recipe.v2t) == ("msrvtt-official/dual-encoding", "any")
    assert (recipe.options["feature"], recipe.config["encoder"]) == ("clip", "tiny-clip")
    changed = evaluation_recipe(str(tmp_path / "de"), "vatex", {"options.feature": "i3d"})
    assert changed.options["feature"] == "i3d"
    assert evaluation_recipe(str(tmp_path / "vop"), "msrvtt-9k", {}).name == "msrvtt-9k/zero-shot"


def test_the_benchmark_is_that_of_the_run_unless_another_is_named(
    trained: Path, tmp_path: Path
) -> None:
    assert evaluation_recipe(str(trained), None, {}).name == "toybox/dual-encoding"
    assert evaluation_recipe("tiny-clip", None, {}).name == "toybox/zero-shot"
    for name in ("msrvtt-9k/vop", "folder/vop"):
        write_recipe(as_stored(read_recipe(name)), tmp_path)
        benchmark = name.partition("/")[0]
        assert evaluation_recipe(str(tmp_path), None, {}).name == f"{benchmark}/zero-shot"
        assert evaluation_recipe(str(tmp_path), "toybox", {}).name == "toybox/zero-shot"


def test_another_benchmark_is_read_with_features_of_the_same_kind(trained: Path) -> None:
    own = evaluation_recipe(str(trained), "toybox", {})
    assert (own.name, own.options["size"]) == ("toybox/dual-encoding", "tiny")
    other = evaluation_recipe(str(trained), "msrvtt-official", {"features.at_most": 9})
    assert (other.name, other.dataset) == ("msrvtt-official/dual-encoding", "hybrid-space")
    assert other.options == read_recipe("msrvtt-official/dual-encoding").options
    assert other.features is not None
    assert (other.features.every, other.features.at_most, other.features.folder) == (0.2, 9, None)
    frames = evaluation_recipe(str(trained), "msrvtt-9k", {})  # a benchmark for CLIPs
    assert frames.features == own.features
    assert frames.config["encoder"] == "tiny-clip"


def test_other_models_read_frames(model: str) -> None:
    recipe = evaluation_recipe(model, "toybox", {"options.size": "tiny"})
    assert (recipe.name, recipe.features) == ("toybox/zero-shot", None)


def test_an_unknown_benchmark_is_named(trained: Path) -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'toyshop/zero-shot'; a recipe is one of"):
        evaluation_recipe(str(trained), "toyshop", {})


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ("nothere", r"no model 'nothere': it is neither a folder nor"),
        ("runs/gone", r"runs/gone is no folder of a model on stored features, and vatex has"),
        ("tiny-clip", r"tiny-clip is no folder of a model on stored features, and vatex has"),
    ],
)
def test_what_cannot_be_measured_on_features_is_named(model: str, fault: str) -> None:
    with pytest.raises(ReeltuneError, match=fault):
        evaluation_recipe(model, "vatex", {})
