"""Whether a recipe's data are those that its name promises, and what is said where they are not."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.data import activitynet, msrvtt
from reeltune.errors import DataError
from reeltune.features.official import write_official
from reeltune.papers.dual_encoding_pp import held_out
from reeltune.papers.table.make import jobs_of
from reeltune.papers.table.missing import missing_of
from reeltune.papers.table.plan import Plan
from reeltune.recipes.read import read_recipe, recipe_names
from reeltune.runs.benchmark_data import on_data, sizes_differ
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe

SMALL = (
    *("config.features=4", "config.hidden=4", "config.filters=2", "config.latent=4"),
    *("config.embedding=4", "config.concepts=0", "words.at_least=1"),
    *("training.epochs=1", "training.batch=4"),
)
COLLECTIONS = {
    "msrvtt-official": "msrvtt10k",
    "msrvtt-yu": "msrvtt10kyu",
    "msrvtt-miech": "msrvtt10kmiech",
    **{name: name for name in ("vatex", "tgif", "msvd", "flickr8k")},
}


def collection(root: Path, name: str, feature: str = "clip") -> Path:
    """Four training, two validation and two test videos, and features of width 4."""
    text, folder = root / name / "TextData", root / name / "FeatureData" / feature
    text.mkdir(parents=True)
    folder.mkdir(parents=True)
    videos = [f"video{n}" for n in range(8)]
    for part, some in (("train", videos[:4]), ("val", videos[4:6]), ("test", videos[6:])):
        lines = [f"{v}#{k} a toy {v[-1]} of kind {k}\n" for v in some for k in (0, 1)]
        (text / f"{name}{part}.caption.txt").write_text("".join(lines))
    rows = np.random.default_rng(0).normal(size=(16, 4)).astype("<f4")
    rows.tofile(folder / "feature.bin")
    write_official(folder, dict.fromkeys(videos, 2), 4)
    return root


@pytest.mark.parametrize("name", recipe_names())
def test_a_benchmark_in_the_folders_of_hybrid_space_names_its_collection(name: str) -> None:
    recipe = read_recipe(name)
    if recipe.dataset == "hybrid-space":
        assert recipe.options["collection"] == COLLECTIONS[name.partition("/")[0]]


def test_its_own_collection_is_taken_where_others_lie_beside_it(tmp_path: Path) -> None:
    for name in ("mine", "vatex", "msrvtt10k"):
        collection(tmp_path, name)
    recipe = on_data(read_recipe("vatex/dual-encoding"), tmp_path)
    assert recipe.options == {"collection": "vatex", "feature": "clip"}
    assert (recipe.data_name, recipe.differs) == ("hybrid-space/vatex", ())
    assert recipe.expected["R@1"] == 35.8


def test_another_that_lies_there_alone_is_taken_and_said(tmp_path: Path) -> None:
    recipe = on_data(read_recipe("vatex/dual-encoding"), collection(tmp_path, "mine"))
    assert recipe.data_name == "hybrid-space/mine"
    told = "not the data of vatex: collection is mine, and the benchmark's is vatex"
    assert recipe.differs == (told,)
    assert recipe.expected == recipe.expected_v2t == {}
    assert on_data(recipe, tmp_path) == recipe, "a run says it again"


def test_where_several_others_lie_one_has_to_be_named(tmp_path: Path) -> None:
    collection(collection(tmp_path, "mine"), "yours")
    with pytest.raises(
        DataError, match=r"no vatex, but 2 collections \(mine, yours\); .*--set options\.collection"
    ):
        on_data(read_recipe("vatex/dual-encoding"), tmp_path)
    yours = read_recipe("vatex/dual-encoding", {"options.collection": "yours"})
    assert on_data(yours, tmp_path).differs[0].startswith("not the data of vatex: coll")


def test_one_that_is_asked_for_by_name_is_never_another(tmp_path: Path) -> None:
    asked = read_recipe("vatex/dual-encoding", {"options.collection": "yuors"})
    with pytest.raises(DataError, match=r"holds no collection yuors, only mine; name one by --set"):
        on_data(asked, collection(tmp_path, "mine"))


def test_another_feature_is_another_benchmark(tmp_path: Path) -> None:
    recipe = on_data(read_recipe("msrvtt-yu/dual-encoding"), collection(tmp_path, "msrvtt10kyu"))
    assert recipe.differs == (
        "not the data of msrvtt-yu: feature is clip, and the benchmark's is resnext101-resnet152",
    )
    seven = read_recipe("msrvtt-9k/vop", {"options.train": "7k"})
    assert on_data(seven, tmp_path).differs == (
        "not the data of msrvtt-9k: train is 7k, and the benchmark's is 9k",
    )


def test_splits_of_another_size_are_said(tmp_path: Path) -> None:
    options = msrvtt.Config.tiny(tmp_path)
    splits = {"train": options.read("train"), "val": None, "test": options.read("test")}
    assert sizes_differ(options, splits) == (
        "train has 1 video, the benchmark 8,999",
        "test has 1 video, the benchmark 1,000",
    )


def test_what_is_absent_counts_as_listed(tmp_path: Path) -> None:
    """Videos that are gone from a published list are left out, and said to be once, not twice."""
    options = activitynet.Config.tiny(tmp_path)
    (tmp_path / "videos" / "v_QOlSCBRmfWY.mp4").unlink()
    whole = activitynet.Config(folder=tmp_path, hold_out=0)
    assert sizes_differ(whole, {"train": whole.read("train")}) == (
        "train has 2 videos, the benchmark 10,009",
    )
    assert options.published()["train"].videos == 10_008


def test_held_out_videos_are_taken_from_the_published_ones() -> None:
    sizes = msrvtt.Config(folder=Path("."), train="7k").published()
    assert (sizes["train"].videos, sizes["train"].captions) == (6_510, 130_200)
    assert "val" not in msrvtt.Config(folder=Path("."), hold_out=0).published()


@pytest.mark.parametrize("name", ["mine", "msrvtt10kyu"])
def test_a_table_knows_its_finished_runs_again_on_data_of_any_name(
    name: str, tmp_path: Path
) -> None:
    """What is stored was settled on the data; what is asked for must be so too."""
    changes = dict(one.split("=") for one in SMALL)
    plan = Plan(
        family="dual-encoding-pp",
        benchmark="msrvtt-yu",
        out=tmp_path / "table",
        seeds=1,
        data=collection(tmp_path / "data", name),
        changes={path: int(value) for path, value in changes.items()} | {"config.concepts": 2},
    )
    job = jobs_of(plan)[0]
    run_recipe(
        read_recipe("msrvtt-yu/dual-encoding", dict(job.changes)),
        RunPlace(out=job.folder, data=plan.data),
    )
    assert missing_of(plan, [job]) == []
    held = held_out(plan)
    assert held.recipe.options == {"collection": name, "feature": "clip"}
    assert len(held.splits["test"].pairs) == 4, "it reads what the runs read"


def test_a_run_on_other_data_says_so_everywhere(tmp_path: Path) -> None:
    root, out = collection(tmp_path / "data", "mine"), tmp_path / "run"
    settings = [part for one in SMALL for part in ("--set", one)]
    run = ["train", "msrvtt-yu/dual-encoding", "--data", str(root), "--out", str(out), *settings]
    done = CliRunner().invoke(app, [*run, "--json"])
    assert done.exit_code == 0, done.output
    told = "not the data of msrvtt-yu: collection is mine, and the benchmark's is msrvtt10kyu"
    found = json.loads(done.stdout)
    assert told in found["said"]
    assert found["protocol"]["dataset"] == "hybrid-space/mine"
    card = (out / "README.md").read_text()
    assert f"- {told}" in card
    assert "of the dataset (hybrid-space/mine)" in card
    stored = yaml.safe_load((out / "recipe.yaml").read_text())
    assert stored["options"] == {"collection": "mine", "feature": "clip"}
    assert told in stored["differs"]
    again = CliRunner().invoke(app, run)
    assert again.exit_code == 0, again.output
    assert "the paper reports" not in again.output
    measured = ["evaluate", str(out), "--benchmark", "msrvtt-yu", "--data", str(root), "--json"]
    evaluated = CliRunner().invoke(app, measured)
    assert evaluated.exit_code == 0, evaluated.output
    assert told in json.loads(evaluated.stdout)["said"]
