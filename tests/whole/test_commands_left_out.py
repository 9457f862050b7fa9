"""Commands say what they left out: on screen, in JSON, in the report, and by their exit code."""

import csv
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from reeltune.cli.app import app
from reeltune.data.toybox import Config
from reeltune.features.official import write_official
from reeltune.papers.table.make import jobs_of
from reeltune.papers.table.plan import Plan
from reeltune.recipes.read import read_recipe
from reeltune.recipes.stored import as_stored, write_recipe
from reeltune.registry import find
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe

TRAIN, TEST = [f"video{n}" for n in range(14)], [f"video{n}" for n in range(7010, 7014)]
TINY = ("--set", "config.base=tiny-clip")
HOLD = ("--set", "options.hold_out=3")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def clips() -> list[Path]:
    """Clips of Toybox, each once."""
    config = Config(size="tiny")
    config.make(lambda done, total: None)
    parts = ("train", "val", "test")
    return list(dict.fromkeys(p.path for part in parts for p in config.read(part).pairs))


def write_msrvtt(folder: Path, damage: Mapping[str, bytes | None]) -> Path:
    """Toys in the layout of MSR-VTT 1kA; `damage` has bytes in place of a video's, or none."""
    (folder / "videos").mkdir(parents=True)
    for name, clip in zip([*TRAIN, *TEST], clips(), strict=False):
        content = damage.get(name, clip.read_bytes())
        if content is not None:
            (folder / "videos" / f"{name}.mp4").write_bytes(content)
    everything = {
        "videos": [{"video_id": name, "split": "train"} for name in [*TRAIN, *TEST]],
        "sentences": [
            {"video_id": name, "caption": f"caption {k} of {name}"}
            for name in [*TRAIN, *TEST]
            for k in range(2)
        ],
    }
    (folder / "MSRVTT_data.json").write_text(json.dumps(everything))
    (folder / "MSRVTT_train.9k.csv").write_text("\n".join(["video_id", *TRAIN, ""]))
    lines = [f"r,m,{name},caption 0 of {name}" for name in TEST]
    (folder / "MSRVTT_JSFUSION_test.csv").write_text(
        "\n".join(["key,vid_key,video_id,sentence", *lines, ""])
    )
    return folder


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of four test videos are absent or broken, and so is one for training."""
    damage = {"video7012": None, "video7011": b"no video", "video3": None}
    return write_msrvtt(tmp_path_factory.mktemp("damaged") / "MSRVTT", damage)


def test_evaluate_names_test_videos_that_are_absent_or_broken(
    damaged: Path, tmp_path: Path
) -> None:
    command = ("evaluate", "tiny-clip", "--benchmark", "msrvtt-9k", "--data", damaged, *HOLD)
    said = run(*command)
    assert said.exit_code == 3
    assert "left out of test: 1 video (not in the folder videos): video7012" in said.stdout
    assert "): video7011" in said.stdout
    small = "test has 4 videos, the benchmark 1,000"
    assert small in said.stdout
    written = run(*command, "--json", "--out", tmp_path / "report.json")
    assert json.loads(written.stdout)["said"] == [small]
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["protocol"]["differs"] == [small]
    assert written.exit_code == 3
    for text in (written.stdout, (tmp_path / "report.json").read_text()):
        card = json.loads(text)["protocol"]
        assert [entry["names"] for entry in card["left_out"]["test"]] == [
            ["video7012"],
            ["video7011"],
        ]
        assert (card["queries"], card["gallery"]) == (2, 2)


def test_train_names_what_all_splits_lack_and_the_model_card_too(
    damaged: Path, tmp_path: Path
) -> None:
    small = ("--set", "training.epochs=1", "--set", "training.batch=4", *TINY)
    done = run("train", "msrvtt-9k/vop", "--data", damaged, *HOLD, *small, "--out", tmp_path)
    assert done.exit_code == 3, done.output
    card = (tmp_path / "README.md").read_text()
    for text in (done.stdout, card):
        assert "left out of test: 1 video (not in the folder videos): video7012" in text
        assert "1 video (not in the folder videos): video3" in text
    before = (tmp_path / "metrics.json").stat().st_mtime_ns
    again = run("train", "msrvtt-9k/vop", "--data", damaged, *HOLD, *small, "--out", tmp_path)
    assert again.exit_code == 3, "a finished run is known again, whatever its test split lacks"
    assert (tmp_path / "metrics.json").stat().st_mtime_ns == before


def test_a_table_names_what_its_runs_lack_and_ends_with_3(damaged: Path, tmp_path: Path) -> None:
    changes = {"options.hold_out": 3, "config.base": "tiny-clip", "training.batch": 4}
    changes["training.epochs"] = 1
    plan = Plan(
        family="vop",
        benchmark="msrvtt-9k",
        out=tmp_path / "table",
        seeds=1,
        data=damaged,
        changes=changes,
    )
    first = next(job for job in jobs_of(plan) if job.method == "vop")
    run_recipe(first.recipe(plan), RunPlace(out=first.folder, data=damaged))
    for job in jobs_of(plan):  # one run stands for all
        if job != first:
            shutil.copytree(first.folder, job.folder)
        write_recipe(as_stored(job.recipe(plan)), job.folder)
    settings = [part for name, value in changes.items() for part in ("--set", f"{name}={value}")]
    command = ("table", "vop", "--dataset", "msrvtt-9k", "--data", damaged, "--seeds", 1)
    done = run(*command, "--no-sweep", "--out", plan.out, *settings)
    assert done.exit_code == 3, done.output
    assert "video7011" in done.stdout
    assert "video7012" in done.stdout


def test_prune_names_test_videos_that_are_absent_or_broken(damaged: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "dense", tmp_path / "small"
    find("models", "clip").Config.tiny().build().save_pretrained(source)
    write_recipe(as_stored(read_recipe("msrvtt-9k/zero-shot", {"frames": 2})), source)
    done = run("prune", source, "--out", out, "--data", damaged)
    assert done.exit_code == 3, done.output
    assert "left out of test: 1 video (not in the folder videos): video7012" in done.stdout
    told = run("prune", source, "--out", tmp_path / "again", "--data", damaged, "--json")
    assert told.exit_code == 3
    stored = json.loads((out / "metrics.json").read_text())
    for card in (stored["protocol"], json.loads(told.stdout)["protocol"]):
        names = [entry["names"] for entry in card["left_out"]["test"]]
        assert names == [["video7012"], ["video7011"]]


def test_nothing_is_said_and_the_exit_code_is_0_where_all_is_there(tmp_path: Path) -> None:
    folder = write_msrvtt(tmp_path / "MSRVTT", {})
    command = ("evaluate", "tiny-clip", "--benchmark", "msrvtt-9k", "--data", folder, *HOLD)
    done = run(*command)
    assert done.exit_code == 0, done.output
    assert "left out" not in done.output
    assert json.loads(run(*command, "--json").stdout)["protocol"]["left_out"] == {}


def test_a_line_that_is_there_twice_is_named_where_it_counts_twice(tmp_path: Path) -> None:
    lines = ["path,caption,split,rating"]
    for number, toy in enumerate(clips()[:2]):
        (tmp_path / toy.name).write_bytes(toy.read_bytes())
        lines += [f"{toy.name},toy {number},test,{number}"] * (number + 1)
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    done = run("evaluate", "tiny-clip", "--benchmark", "folder", "--data", tmp_path)
    assert done.exit_code == 0, done.output
    said = "note on test: 1 text (more than once for one video, and counted each time): "
    assert f"{said}{clips()[1].name}: toy 1" in done.stdout
    assert (
        "note on test: 1 column (passed over, as it is none of those that are read)" in done.stdout
    )


def test_tune_names_lines_whose_video_is_absent_or_broken(tmp_path: Path) -> None:
    toys = clips()[:20]
    with (tmp_path / "captions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "caption", "split"])
        for number, toy in enumerate(toys):
            (tmp_path / toy.name).write_bytes(toy.read_bytes())
            part = "test" if number < 5 else "val" if number < 8 else "train"
            writer.writerow([toy.name, f"toy {number}", part])
    toys_gone, toys_broken = toys[0].name, toys[10].name
    (tmp_path / toys_gone).unlink()
    (tmp_path / toys_broken).write_bytes(b"no video")
    command = ("tune", tmp_path / "captions.csv", "--videos", tmp_path, "--model", "tiny-clip")
    done = run(*command, "--out", tmp_path / "tuned", "--json")
    assert done.exit_code == 3, done.output
    left_out = json.loads(done.stdout)["left_out"]
    assert left_out["b"]["test"][0]["names"] == [toys_gone]
    assert left_out["b"]["train"][0]["names"] == [toys_broken]
    stored = json.loads((tmp_path / "tuned" / "metrics.json").read_text())
    assert stored["protocol"]["left_out"] == left_out["b"]


def test_evaluate_and_its_report_name_copies_of_a_video(tmp_path: Path) -> None:
    lines = ["path,caption,split"]
    for name, toy in zip(("a.mp4", "b.mp4", "z.mp4"), (*clips()[:2], clips()[0]), strict=True):
        (tmp_path / name).write_bytes(toy.read_bytes())
        lines.append(f"{name},a toy called {name},test")
    (tmp_path / "captions.csv").write_text("\n".join(lines) + "\n")
    command = ("evaluate", "tiny-clip", "--benchmark", "folder", "--data", tmp_path)
    done = run(*command, "--json")
    assert done.exit_code == 0, done.output
    protocol = json.loads(done.stdout)["protocol"]
    assert (protocol["gallery"], protocol["left_out"]["test"][0]["names"]) == (
        2,
        ["z.mp4 (as a.mp4)"],
    )
    copies = "1 file (of the same content as another, so one video with it): z.mp4 (as a.mp4)"
    assert f"note on test: {copies}" in " ".join(run(*command).output.split())


def write_collection(folder: Path, caption: Callable[[int, int], str]) -> Path:
    """30 made-up videos in the layout of hybrid_space; `caption` is of video and place."""
    text, feature = folder / "mine" / "TextData", folder / "mine" / "FeatureData" / "noise"
    text.mkdir(parents=True)
    feature.mkdir(parents=True)
    for part, numbers in (("train", range(20)), ("val", range(20, 25)), ("test", range(25, 30))):
        lines = [f"v{n}#{k} {caption(n, k)}\n" for n in numbers for k in range(2)]
        (text / f"mine{part}.caption.txt").write_text("".join(lines), encoding="utf-8")
    np.random.default_rng(0).standard_normal((60, 8)).astype("<f4").tofile(feature / "feature.bin")
    write_official(feature, dict.fromkeys([f"v{n}" for n in range(30)], 2), 8)
    return folder


def test_captions_without_a_known_word_are_counted_and_named(tmp_path: Path) -> None:
    data = write_collection(
        tmp_path / "HS", lambda n, k: f"a red box {k}" if n % 2 else "красный куб едет"
    )
    sizes = ("embedding=8", "hidden=8", "filters=4", "latent=8", "concepts=0", "features=8")
    changes = [f"config.{size}" for size in sizes]
    changes += ["words.at_least=1", "training.epochs=1", "training.batch=7"]
    done = run(
        *("train", "msrvtt-yu/dual-encoding", "--data", data, "--out", tmp_path / "run"),
        *(word for change in changes for word in ("--set", change)),
    )
    assert done.exit_code == 0, done.output
    for text in (done.stdout, (tmp_path / "run" / "README.md").read_text()):
        assert "20 captions (no word that the model knows): v0: красный куб едет" in text
        assert "4 captions (no word that the model knows): v26: красный куб едет" in text
        assert "5 captions (too few for another batch of 7" in text
