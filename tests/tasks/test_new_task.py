"""A new task is one new file: put into the folder, or named by its dotted name."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import reeltune.tasks
from reeltune.cli.bars import TrainingBar
from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.compare import compare
from reeltune.evaluation.means import MeansReport
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.report import AnyReport
from reeltune.registry import names
from reeltune.tasks.finding.judge import (
    highest_of,
    judge,
    require_judged_by,
    task_of,
    unread_of,
    validation,
)
from reeltune.tasks.finding.reports import compare_files, read_report
from reeltune.types import Pair, Split
from tasks.first_word import TASK, Guesser

SPLIT = Split(
    pairs=tuple(
        Pair(video=f"clip{i}", path=Path(f"clip{i}.mp4"), caption=f"{word} box")
        for i, word in enumerate(("a", "a", "the", "a", "the", "the", "one", "a"))
    ),
    captions="single",
)


class Signs:
    """Reads clip number i as 1 or as -1."""

    policy = "signs"

    def __init__(self, signs: str) -> None:
        self.signs = signs

    def read(self, pair: Pair) -> np.ndarray:
        number = int(pair.video.removeprefix("clip"))
        return np.array([[float(f"{self.signs[number]}1")]], np.float32)


def judged(signs: str = "++-+----", judged_as: str = "tasks.first_word") -> AnyReport:
    model = Guesser()
    model.judged_as = judged_as
    return judge(model, Signs(signs), SPLIT, Named("signs", "test"))


def test_a_task_is_found_by_its_dotted_name(tmp_path: Path) -> None:
    model = Guesser()
    assert task_of(model) is TASK
    found = judged()
    assert found.values() == {"accuracy": 75.0}, "neither 'one' nor the last 'a' was said"
    assert validation(model, Signs("++-+----"), SPLIT)() == found.values()
    require_judged_by("accuracy", model, 8)
    with pytest.raises(ConfigError, match=r"judged_by is SumR, .* with one of accuracy$"):
        require_judged_by("SumR", model, 8)
    assert unread_of(model, SPLIT) == ()
    found.write(tmp_path / "metrics.json")
    assert read_report(tmp_path / "metrics.json") == found
    assert compare_files(tmp_path, tmp_path).differences["accuracy"].changed == 0


@pytest.fixture
def in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file, loaded as if it lay in `reeltune/tasks`."""
    shutil.copy(Path(__file__).parent / "first_word.py", tmp_path / "first_word.py")
    monkeypatch.setattr(reeltune.tasks, "__path__", [*reeltune.tasks.__path__, str(tmp_path)])
    return "first-word"


def test_a_file_in_the_folder_is_a_task(
    in_the_folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_the_folder in names("tasks")
    assert judged(judged_as=in_the_folder).values() == {"accuracy": 75.0}
    assert highest_of("accuracy", Guesser()) == 100.0
    with TrainingBar() as bar:
        bar._shown.bars.disable = False
        bar.epoch({"epoch": 2.0, "accuracy": 75.0})
    assert "epoch 2: validation accuracy 75.0" in capsys.readouterr().err


def test_folders_and_private_files_are_no_tasks() -> None:
    assert {"captioning", "pair-retrieval", "retrieval"} <= {*names("tasks")}
    assert "finding" not in names("tasks")
    with pytest.raises(ConfigError, match=r"no task named 'finding'; there are: .*captioning, "):
        judged(judged_as="finding")


def test_means_differ_where_their_items_do() -> None:
    good, bad = judged("++-+----"), judged("--+-++++")
    found = compare(bad, good)
    one = found.differences["accuracy"]
    assert (one.a, one.b, one.changed) == (12.5, 75.0, 7)
    assert one.low < 62.5 < one.high
    assert not one.inside_noise


def test_means_are_printed_with_their_interval() -> None:
    found = judged()
    assert isinstance(found, MeansReport)
    low, high = found.intervals["accuracy"]
    assert low < 75.0 < high
    assert found.markdown() == [
        "| accuracy |",
        "|---|",
        "| 75.0 |",
        "",
        f"95 % interval of accuracy, over videos: {low:.1f} to {high:.1f}.",
    ]
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(found.table())
    text = " ".join(captured.get().split())
    assert "guesser on signs test: 8 items of 8 videos" in text
    assert f"accuracy 75.0 {low:.1f} to {high:.1f}" in text


def test_means_over_items_of_one_video_are_drawn_together() -> None:
    found = judged()
    assert isinstance(found, MeansReport)
    items = {f"q{i}": f"clip{i // 2}" for i in range(8)}
    shares = {
        "accuracy": dict(zip(items, (100.0, 0.0, 0.0, 0.0, 100.0, 100.0, 0.0, 0.0), strict=True))
    }
    means = {"accuracy": 37.5}
    both = replace(found, items=items, shares=shares, means=means)
    assert both.videos == 4
    drawn = both.drawn(np.array([[1, 1, 1, 1], [0, 2, 0, 1], [0, 0, 4, 0]]))
    assert drawn["accuracy"].tolist() == [37.5, 0.0, 100.0]


def test_reports_of_means_that_do_not_fit_are_refused() -> None:
    found = judged()
    assert isinstance(found, MeansReport)
    with pytest.raises(DataError, match=r"the shares of accuracy are not those of the 1 item;"):
        replace(found, items={"clip0": "clip0"})
    with pytest.raises(DataError, match=r"the shares of the figures are not those of the 8 items"):
        replace(found, means={})
    other = replace(found, protocol=replace(found.protocol, task="counting"))
    with pytest.raises(ConfigError, match=r"task: 'first-word' against 'counting'"):
        compare(found, other)
    renamed = {f"q{i}": video for i, video in enumerate(found.items)}
    shares = {"accuracy": dict.fromkeys(renamed, 0.0)}
    with pytest.raises(ConfigError, match=r"unlike protocols .*items: 8 against 8"):
        compare(found, replace(found, items=renamed, shares=shares))
    with pytest.raises(DataError, match=r"not a report of single items: intervals: Field required"):
        MeansReport.from_dict({})
