"""Runs with no validation split, with one of a single video, and with batches of one."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from own_clips import own_dual_encoding, own_recipe, write_own

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.evaluation.retrieval import Report
from reeltune.models.opening.open import open_model
from reeltune.papers._dual_encoding_sweeps import Cut, HeldOut, alpha_sums, pruned
from reeltune.papers._meltr_costs import costs
from reeltune.papers.table.make import jobs_of, write_pages
from reeltune.papers.table.missing import missing_of
from reeltune.papers.table.plan import Plan
from reeltune.recipes.recipe import Recipe
from reeltune.runs.finished import METRICS
from reeltune.runs.place import RunPlace
from reeltune.runs.ready import left_out_of
from reeltune.runs.train import run_recipe
from reeltune.runs.tune import tune
from reeltune.training.checkpoint import STATE
from reeltune.training.loop import Outcome
from reeltune.training.settings import Settings
from reeltune.types import Pair, Split

WITHOUT = "there is none, so the weights of the last epoch are kept"


class Untouched:
    """A watcher that fails where a clip is read."""

    def prepare(self, what: str, done: int, total: int) -> None:
        raise AssertionError(f"{what} began")

    def say(self, sentence: str) -> None: ...

    def begin(self, done: int, steps: int) -> None: ...

    def step(self, facts: dict[str, float]) -> None: ...

    def epoch(self, facts: dict[str, float]) -> None: ...


@pytest.fixture(scope="module")
def without_val(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own(tmp_path_factory.mktemp("own"), {"train": 8, "test": 3})


@pytest.fixture(scope="module")
def one_to_validate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own(tmp_path_factory.mktemp("own"), {"train": 8, "val": 1, "test": 3})


@pytest.fixture(scope="module")
def trained(without_val: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "vop"
    done = run_recipe(own_recipe(), RunPlace(out=out, data=without_val))
    assert done.outcome is not None
    assert done.outcome.best_epoch == 1
    return out


def test_without_a_validation_split_the_last_weights_are_kept_and_the_card_says_so(
    trained: Path,
) -> None:
    assert WITHOUT in (trained / "README.md").read_text()
    assert WITHOUT in json.dumps(json.loads((trained / "metrics.json").read_text()))


def test_the_state_of_a_finished_run_is_gone_and_the_run_is_still_known(
    trained: Path, without_val: Path
) -> None:
    assert not (trained / STATE).exists()
    place = RunPlace(out=trained, data=without_val, watcher=Untouched())
    assert run_recipe(own_recipe(), place).report.protocol.gallery == 3


def test_a_finished_run_of_other_settings_or_videos_is_not_written_over(
    trained: Path, without_val: Path, one_to_validate: Path
) -> None:
    longer = own_recipe(training={"epochs": 3, "batch": 4})
    message = r"holds a finished run of other settings; give another folder with --out"
    with pytest.raises(CheckpointError, match=message):
        run_recipe(longer, RunPlace(out=trained, data=without_val))
    with pytest.raises(CheckpointError, match=r"holds a finished run of other test videos"):
        run_recipe(own_recipe(), RunPlace(out=trained, data=one_to_validate))


def test_ranges_of_hybrid_scores_are_those_of_training_where_nothing_validates(
    without_val: Path, tmp_path: Path
) -> None:
    done = run_recipe(own_dual_encoding(), RunPlace(out=tmp_path, data=without_val))
    [entry] = done.report.protocol.left_out["val"]
    assert entry.reason == WITHOUT
    model: Any = open_model(str(tmp_path))
    assert all(divisor not in (0, 1) for divisor in model.divisors.tolist())
    held = HeldOut(own_dual_encoding(), RunPlace(out=tmp_path, data=without_val))
    assert list(held.splits) == ["train", "test"]
    found = pruned(tmp_path, Cut(0.0), tmp_path / "pruned", held)
    assert found.report.ranks == Report.read(tmp_path / "metrics.json").ranks, "nothing is cut"
    sums = alpha_sums(tmp_path, tmp_path / "alpha", held)
    assert list(sums["range"]) == ["train t2v", "train v2t", "test t2v", "test v2t"]


def test_a_table_of_a_benchmark_that_holds_nothing_out_can_be_run(
    without_val: Path, trained: Path, tmp_path: Path
) -> None:
    changes = {"config.base": "tiny-clip", "training.batch": 4, "training.patience": None}
    plan = Plan(
        family="vop",
        benchmark="folder",
        out=tmp_path / "table",
        seeds=1,
        data=without_val,
        changes=changes,
    )
    jobs = jobs_of(plan)[:3]
    assert missing_of(plan, jobs) == jobs
    for job in jobs_of(plan):  # one run stands for all
        shutil.copytree(trained, job.folder)
    pages = write_pages(plan, False, print).pages
    assert [page.name for page in pages] == ["table.md", "table.json", "parameters.png"]


def test_costs_of_meltr_are_measured_where_nothing_validates(
    without_val: Path, tmp_path: Path
) -> None:
    recipe = own_dual_encoding(meltr={"outer": "recent", "step": {"every": 1}})
    place = RunPlace(out=tmp_path, data=without_val)
    assert list(costs(recipe, ["aid-fp-lite"], place, rounds=1)) == ["aid-fp-lite"]


def test_tune_keeps_the_last_weights_where_nothing_validates(
    without_val: Path, tmp_path: Path
) -> None:
    place = RunPlace(out=tmp_path / "tuned")
    tuning = tune(without_val / "captions.csv", without_val, "tiny-clip", place)
    assert tuning.trained_on == 8
    assert WITHOUT in str(tuning.after.protocol.left_out["val"])


def notes_of(videos: int, best: float, **settings: Any) -> list[str]:
    """What is said of a validation split of so many videos, by which `best` was the best figure."""
    parts = [
        Split(
            pairs=tuple(
                Pair(video=str(n), path=Path("v.mp4"), caption="a box") for n in range(count)
            ),
            captions="single",
        )
        for count in (4, videos)
    ]
    outcome = Outcome(steps=4, best_epoch=0, best=float(best), seconds=0.0)
    task = "captioning" if settings.get("judged_by") == "CIDEr-D" else "retrieval"
    model, learned = SimpleNamespace(judged_as=task), (parts[0], parts[1])
    found = left_out_of(model, learned, Settings(batch=4, **settings), outcome)
    return [entry.reason for entry in found["val"]]


def test_the_state_beside_a_finished_tuning_goes_at_the_next_call(
    without_val: Path, tmp_path: Path
) -> None:
    """A kill between the last two files, the figures and the removal, leaves both."""
    command = without_val / "captions.csv", without_val, "tiny-clip", RunPlace(out=tmp_path)
    (tmp_path / METRICS).write_text("{}")
    (tmp_path / STATE).write_bytes(b"state")
    with pytest.raises(ConfigError, match=r"holds a finished tuning or run; give another folder"):
        tune(*command)
    assert [path.name for path in tmp_path.iterdir()] == [METRICS]


@pytest.mark.parametrize(("videos", "said"), [(1, "1 video"), (5, "5 videos"), (6, None)])
def test_videos_that_show_no_difference_beyond_chance_are_said_to_choose_hardly(
    videos: int, said: str | None
) -> None:
    reason = f"it has {said}, and on fewer than 6 no difference between epochs is beyond chance"
    assert notes_of(videos, best=599.0) == [reason] * (said is not None)


@pytest.mark.parametrize(
    ("settings", "top", "kept"),
    [
        ({}, 600, "the first of the highest margin"),
        ({"judged_by": "v2t SumR"}, 300, "the first of the highest margin"),
        ({"judged_by": "t2v R@1", "schedule": "halve"}, 100, "the first"),
        ({"judged_by": "t2v mAP", "schedule": "reload"}, 100, "the last"),
    ],
)
def test_a_figure_at_its_top_is_said_not_to_choose_and_what_does_is_named(
    settings: dict[str, Any], top: float, kept: str
) -> None:
    name = settings.get("judged_by", "SumR")
    assert notes_of(9, best=top, **settings) == [
        f"{name} reached {top}, the highest it can be, so it cannot choose among the epochs that "
        f"reached it, of which {kept} is kept"
    ]
    assert notes_of(9, best=top - 0.1, **settings) == []


@pytest.mark.parametrize("name", ["margin", "CIDEr-D"])
def test_a_figure_without_a_bound_is_never_at_its_top(name: str) -> None:
    assert notes_of(9, best=100.0, judged_by=name) == []


@pytest.mark.parametrize("make", [own_recipe, own_dual_encoding])
def test_one_video_to_validate_by_does_not_end_a_run(
    make: Any, one_to_validate: Path, tmp_path: Path
) -> None:
    done = run_recipe(make(), RunPlace(out=tmp_path, data=one_to_validate))
    assert done.outcome is not None
    assert [epoch["SumR"] for epoch in done.outcome.history] == [600.0, 600.0]
    card = (tmp_path / "README.md").read_text()
    assert "SumR reached 600, the highest it can be" in card
    assert "SumR reached 600" in json.dumps(done.report.figures(), default=str)


@pytest.mark.parametrize(
    "recipe",
    [
        own_recipe(training={"batch": 1}),
        own_dual_encoding(training={"batch": 1}),
        own_dual_encoding(training={"batch": 1}, meltr={}),
    ],
    ids=["clip", "dual-encoding", "meltr"],
)
def test_batches_of_one_are_refused_before_a_clip_is_read(
    recipe: Recipe, without_val: Path, tmp_path: Path
) -> None:
    message = (
        r"training\.batch is 1, .* no wrong answers to learn from; give --set training\.batch=2"
    )
    with pytest.raises(ConfigError, match=message):
        run_recipe(recipe, RunPlace(out=tmp_path, data=without_val, watcher=Untouched()))


def test_one_video_to_train_on_is_refused_before_it_is_read(tmp_path: Path) -> None:
    own = write_own(tmp_path / "own", {"train": 1, "test": 2}, captions=4)
    recipe = own_recipe(training={"batch": 4, "every_caption": True})
    with pytest.raises(DataError, match=r"is the only video to train on, and one has no wrong"):
        run_recipe(recipe, RunPlace(out=tmp_path / "out", data=own, watcher=Untouched()))


def test_meltr_that_is_judged_on_held_out_videos_wants_two_of_them(
    without_val: Path, one_to_validate: Path, tmp_path: Path
) -> None:
    recipe = own_dual_encoding(meltr={})
    message = r"no validation split to judge by; give --set meltr\.outer=recent, or hold videos out"
    with pytest.raises(ConfigError, match=message):
        run_recipe(recipe, RunPlace(out=tmp_path, data=without_val, watcher=Untouched()))
    message = r"the only video .*, by which weights of losses are judged, .*outer=recent"
    with pytest.raises(DataError, match=message):
        run_recipe(recipe, RunPlace(out=tmp_path, data=one_to_validate, watcher=Untouched()))


def test_meltr_that_is_judged_on_late_batches_needs_no_validation_split(
    without_val: Path, tmp_path: Path
) -> None:
    recipe = own_dual_encoding(meltr={"outer": "recent", "step": {"every": 1}})
    done = run_recipe(recipe, RunPlace(out=tmp_path, data=without_val))
    assert WITHOUT in str(done.report.protocol.left_out["val"])


def test_what_nothing_reads_is_refused_before_a_clip_is_read(
    without_val: Path, tmp_path: Path
) -> None:
    place = RunPlace(out=tmp_path, data=without_val, watcher=Untouched())
    with pytest.raises(ConfigError, match=r"training\.chunk is 2, which is not read by the step"):
        run_recipe(own_dual_encoding(training={"batch": 4, "chunk": 2}), place)
    with pytest.raises(ConfigError, match=r"training\.patience is 3, which is not read without a"):
        run_recipe(own_recipe(training={"batch": 4, "patience": 3}), place)
