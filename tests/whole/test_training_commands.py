"""The commands that train and measure, as a person runs them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from reeltune.cli.app import app
from reeltune.cli.output import show_tuning
from reeltune.data.toybox import Config
from reeltune.evaluation.compare import compare
from reeltune.evaluation.retrieval import Report
from reeltune.models.opening.open import open_model
from reeltune.papers.table.make import jobs_of
from reeltune.papers.table.plan import Plan
from reeltune.runs.finished import METRICS
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.tasks.finding.reports import read_report
from reeltune.training.checkpoint import STATE

SMALL = ("--set", "options.size=tiny", "--set", "training.epochs=2", "--set", "training.batch=8")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "vop-fp"
    done = run("train", "toybox/vop-fp", *SMALL, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["protocol"]["dataset"] == "toybox"
    return out


def test_a_run_leaves_a_model_a_report_and_its_recipe(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    wanted = {"adapter.safetensors", "config.yaml", "metrics.json", "recipe.yaml", "README.md"}
    assert wanted | {"log.jsonl"} <= names
    assert open_model(str(trained)).dim == 96
    card = (trained / "README.md").read_text()
    assert "| text to video |" in card
    assert "| ties | against the model |" in card


def test_a_finished_run_is_not_run_again(trained: Path) -> None:
    before = (trained / "adapter.safetensors").stat().st_mtime_ns
    done = run("train", "toybox/vop-fp", *SMALL, "--out", trained)
    assert done.exit_code == 0, done.output
    assert (trained / "adapter.safetensors").stat().st_mtime_ns == before
    assert "t2v" in done.output


def test_what_is_evaluated_again_gives_the_same_figures(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.json"
    done = run("evaluate", trained, "--out", path, "--json")  # on the run's own size of Toybox
    assert done.exit_code == 0, done.output
    first, again = (json.loads(p.read_text()) for p in (trained / "metrics.json", path))
    assert again["t2v"] == first["t2v"]
    assert again["protocol"]["seed"] == 0


def test_runs_are_compared_and_unlike_ones_refused(trained: Path, tmp_path: Path) -> None:
    assert run("train", "toybox/zero-shot", *SMALL[:2], "--out", tmp_path / "zero").exit_code == 0
    done = run("compare", tmp_path / "zero", trained)
    assert done.exit_code == 0, done.output
    assert "inside noise" in done.output or "R@1" in done.output
    assert "t2v R@1" in json.loads(run("compare", trained, trained, "--json").stdout)["differences"]
    path = tmp_path / "val.json"
    run("evaluate", trained, "--set", "options.size=tiny", "--split", "val", "--out", path)
    refused = run("compare", trained, path)
    assert refused.exit_code == 1
    assert "split" in refused.stderr


def test_rows_of_a_comparison_are_printed_once(trained: Path) -> None:
    lines = run("compare", trained, trained).output.splitlines()
    for name in ("t2v R@1", "v2t SumR", "t2v temporal R@1"):
        assert sum(line.strip().startswith(f"{name} ") for line in lines) == 1, name


def test_scores_and_post_processed_figures_are_had_beside_the_figures(tmp_path: Path) -> None:
    plain = ("evaluate", "tiny-clip", "--set", "options.size=tiny")
    more = ("--post", "dsl:0.01", "--post", "qb-norm:20:1", "--scores", tmp_path / "s.npy")
    first = json.loads(run(*plain, "--json").stdout)
    done = run(*plain, *more, "--json", "--out", tmp_path / "r.json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    names = [f"{name} {way}" for name in ("dsl 0.01", "qb-norm 20 1") for way in ("t2v", "v2t")]
    assert list(found["beside"]) == names
    assert {**found, "beside": {}} == first, "the headline is the same"
    values = np.load(tmp_path / "s.npy")
    assert values.shape == (found["protocol"]["queries"], found["protocol"]["gallery"])
    text = run(*plain, *more, "--force").output
    assert all(name in text for name in ("dsl 0.01 t2v", "qb-norm 20 1 v2t"))
    assert "dsl 0.01 v2t R@1" in run("compare", tmp_path / "r.json", tmp_path / "r.json").output


def test_reports_and_scores_that_are_there_are_replaced_by_force_alone(tmp_path: Path) -> None:
    out, scores, names = (tmp_path / name for name in ("r.json", "s.npy", "s.ids.json"))
    plain = ("evaluate", "tiny-clip", "--set", "options.size=tiny")
    for path in (out, scores, names):
        path.write_text("mine")
        given = ("--out", out) if path == out else ("--scores", scores)
        refused = run(*plain, *given)
        assert (refused.exit_code, path.read_text()) == (1, "mine")
        said = f"{path} is there already; give another name, or --force to replace it"
        assert said in " ".join(refused.stderr.split())
        if path == out:
            assert run(*plain, *given, "--force").exit_code == 0
            assert "t2v" in out.read_text()
        path.unlink()


def test_what_cannot_be_had_beside_the_figures_is_refused_at_once(tmp_path: Path) -> None:
    wrong = {
        ("--post", "dsl"): "--post dsl is no post-processing",
        ("--scores", tmp_path / "s.csv"): "give one that ends in .npy",
        ("--scores", tmp_path / "s.npy" / "s.npy"): "is a file",
        ("--post", "qb-norm:20:1", "--split", "train"): "measure val or test",
        ("--post", "qb-norm:20:99"): "asks for the best 99 of",
    }
    (tmp_path / "s.npy").write_text("")
    for given, message in wrong.items():
        done = run("evaluate", "tiny-clip", "--set", "options.size=tiny", *given)
        assert done.exit_code == 1
        assert message in done.stderr


def test_the_table_trains_what_is_missing(tmp_path: Path) -> None:
    """Every row is trained, one of them by the command in a process of its own."""
    changes = {"training.epochs": 1, "training.batch": 8, "options.size": "tiny", "frames": 2}
    plan = Plan(family="vop", benchmark="toybox", out=tmp_path, seeds=1, changes=changes)
    before = {}
    for job in jobs_of(plan):
        if job.method != "vop-fc":
            run_recipe(job.recipe(plan), RunPlace(out=job.folder))
            before[job.folder] = (job.folder / METRICS).stat().st_mtime_ns
    arguments = ("table", "vop", "--size", "tiny", "--seeds", 1, "--out", tmp_path, "--no-sweep")
    small = ("training.epochs=1", "training.batch=8", "frames=2")
    done = run(*arguments, *(word for one in small for word in ("--set", one)))
    assert done.exit_code == 0, done.output
    after = {job.folder: (job.folder / METRICS).stat().st_mtime_ns for job in jobs_of(plan)}
    assert len(after) == len(before) + 1
    assert before.items() <= after.items(), "what was there is not run again"
    text = (tmp_path / "table.md").read_text()
    for method in ("zero-shot", "full", "lora", "vop-fc"):
        assert f"| `{method}` |" in text
    stored = json.loads((tmp_path / "table.json").read_text())
    assert {row["method"]: row["trainable"] for row in stored["rows"]}["zero-shot"] == 0
    assert stored["v2t"] == "grouped"
    assert "| v2t R@1 (grouped) |" in text
    assert (tmp_path / "parameters.png").stat().st_size > 10_000
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_datasets_say_what_they_need() -> None:
    assert "msrvtt" in run("datasets").output.split()
    assert "FOLDER/" in run("datasets", "msrvtt").output
    refused = run("datasets", "nothing")
    assert refused.exit_code == 1
    assert "no dataset named 'nothing'; there are: activitynet" in refused.stderr


def test_a_value_is_wanted_behind_set() -> None:
    refused = run("train", "toybox/vop", "--set", "training.lr")
    assert refused.exit_code == 1
    assert "--set training.lr has no value; write --set training.lr=1e-4" in refused.stderr


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of Toybox as a person's own videos, two captions each."""
    folder = tmp_path_factory.mktemp("own")
    pairs = [p for s in ("train", "val", "test") for p in Config(size="tiny").read(s).pairs]
    seen: dict[str, int] = {}
    with (folder / "captions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "caption"])
        for pair in pairs:
            seen[pair.video] = seen.get(pair.video, 0) + 1
            if seen[pair.video] <= 2:
                (folder / pair.path.name).write_bytes(pair.path.read_bytes())
                writer.writerow([pair.path.name, pair.caption])
    return folder / "captions.csv"


def test_tune_proves_itself_and_its_model_searches(captions: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    done = run("tune", captions, "--videos", captions.parent, "--model", "tiny-clip", "--out", out)
    assert done.exit_code == 0, done.output
    assert "held-out videos" in done.output
    assert (out / "before.json").is_file()
    assert (out / "metrics.json").is_file()
    assert not (out / STATE).exists()
    better = any(line.startswith("better: ") for line in done.output.splitlines())
    assert ("reeltune index VIDEOS --model" in done.output) is better
    again = run("tune", captions, "--videos", captions.parent, "--model", "tiny-clip", "--out", out)
    assert again.exit_code == 1
    assert "holds a finished tuning or run; give another folder with --out" in again.stderr
    library = tmp_path / "library"
    indexed = run("index", captions.parent, "--library", library, "--model", out)
    assert indexed.exit_code == 0, indexed.output
    found = json.loads(run("search", "a red square", "--library", library, "--json").stdout)
    assert found[0]["path"].endswith(".mp4")


def test_tune_claims_no_gain_that_three_videos_cannot_show(captions: Path, tmp_path: Path) -> None:
    done = run(
        *("tune", captions, "--videos", captions.parent, "--model", "tiny-clip"),
        *("--out", tmp_path, "--json"),
    )
    found = json.loads(done.stdout)
    assert found["verdict"].startswith(("no gain can be claimed", "worse"))


@pytest.mark.parametrize(("worth", "hint"), [(True, True), (False, False)])
def test_only_a_better_model_is_proposed_for_an_index(
    trained: Path, worth: bool, hint: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    report = read_report(trained / "metrics.json")
    assert isinstance(report, Report)
    show_tuning(trained, report, compare(report, report), "the verdict", worth)
    assert ("reeltune index VIDEOS --model" in capsys.readouterr().out) is hint


def test_tune_wants_enough_videos_and_a_model_it_can_tune(captions: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    few.write_text("".join(captions.read_text().splitlines(keepends=True)[:9]))
    refused = run("tune", few, "--videos", captions.parent, "--model", "tiny-clip")
    assert refused.exit_code == 1
    assert "tuning needs 8 or more" in refused.stderr
    refused = run("tune", captions, "--videos", captions.parent, "--model", "lite-zero")
    assert refused.exit_code == 1
    assert "tune a CLIP (a folder or a hub id), tiny-clip, or lite" in refused.stderr
