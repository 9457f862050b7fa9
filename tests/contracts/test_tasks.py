"""What every file in tasks/ promises; a new task is under these tests by being there."""

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.beside import NOTHING, Asked
from reeltune.evaluation.compare import compare
from reeltune.evaluation.left_out import sentences
from reeltune.evaluation.protocols import Named, card_rows
from reeltune.evaluation.remarks import remarks_of
from reeltune.evaluation.report import AnyReport
from reeltune.registry import find, given, names
from reeltune.tasks.finding.judge import (
    all_tasks,
    highest_of,
    judge,
    require_judged_by,
    require_scores,
    task_of,
    unread_of,
    validation,
)
from reeltune.tasks.finding.reports import compare_files, read_report
from reeltune.tasks.finding.task import Task
from reeltune.types import LeftOut, Pair, Split

OUTSIDE = given("tasks.first_word")  # beside this folder: a task of means, by its dotted name
WORDS = ("a red box", "the disc moves", "blue", "a green circle spins", "a box", "two rings", "up")
GONE = LeftOut(what="video", reason="not in the folder videos", count=1, names=("c",))
SPLIT = Split(
    pairs=tuple(
        Pair(
            video=f"clip{i}",
            path=Path(f"clip{i}.mp4"),
            caption=f"{WORDS[(i + j) % 7]} {j}",
            options=("up", "down", "left"),
            answer=("up", "down", "right")[(i + j) % 3],
            rating=(i - 3) / 2 + j / 4,
        )
        for i in range(7)
        for j in range(2)
    ),
    captions="multiple",
    left_out=(GONE,),
)


class Noise:
    """A `ClipReader` of noise, as a model reads it: stored features, or pictures."""

    policy = "noise"

    def __init__(self, model: Any) -> None:
        self.width = getattr(getattr(model, "config", None), "features", None)
        self.side = None if self.width else model.pixels.size

    def read(self, pair: Pair) -> np.ndarray:
        source = np.random.default_rng(int(pair.video[4:]))
        if self.width:
            return source.standard_normal((3, self.width)).astype(np.float32)
        return source.integers(0, 256, (2, 3, self.side, self.side), np.uint8)


@pytest.fixture(scope="module", autouse=True)
def without_java() -> Iterator[None]:
    """Figures that need it are left out here; it is slow, and not on every machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        yield


@pytest.fixture(scope="module", params=[*names("tasks"), OUTSIDE])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def task(name: str) -> Task:
    return find("tasks", name).TASK


@pytest.fixture(scope="module")
def model(task: Task) -> Any:
    torch.manual_seed(0)
    return task.tiny()


def texts_for(model: Any) -> dict[str, Any]:
    """What is said beside the captions, by the names that the model asks for."""
    return {name: lambda pair: f"now {pair.video}" for name in getattr(model, "texts", ())}


def judged(model: Any, seed: int | None = None, quick: bool = False) -> AnyReport:
    named = Named("noise", "test", seed, asked_hash="of the split")
    return judge(model, Noise(model), SPLIT, named, texts_for(model), quick)


@pytest.fixture(scope="module")
def report(model: Any) -> AnyReport:
    return judged(model, seed=1)


def printed(thing: object) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(thing)
    return " ".join(captured.get().split())


def headline(task: Task) -> str:
    """The first of the main figures."""
    return next(iter(task.main))


def test_a_model_is_judged_by_the_task_that_it_is_made_for(task: Task, model: Any) -> None:
    assert task_of(model) is task
    assert task.suits(model)
    assert not task.suits(object())


def test_a_model_that_lacks_what_its_task_calls_is_refused(name: str, task: Task) -> None:
    class Empty:
        judged_as = name

    Empty.name = "empty"  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=rf"empty is judged as {name}, which calls .* has no \w+"):
        task_of(Empty())


def test_figures_are_finite_and_those_that_count_are_among_them(
    task: Task, report: AnyReport
) -> None:
    assert type(report) is task.report
    values = report.values()
    assert all(math.isfinite(value) for value in values.values())
    assert task.main.keys() <= values.keys()
    assert report.videos == 7
    assert report.tells(headline(task))


def test_validation_gives_what_is_known_beforehand_and_no_more_than_its_top(
    task: Task, model: Any
) -> None:
    found = validation(model, Noise(model), SPLIT, texts_for(model))()
    tops = task.higher(7)
    assert tops.keys() <= found.keys()
    for figure, top in tops.items():
        assert top is None or found[figure] <= top
        assert highest_of(figure, model) == top
        require_judged_by(figure, model, 7)
    with pytest.raises(ConfigError, match=r"judged_by is luck, .* with one of " + next(iter(tops))):
        require_judged_by("luck", model, 7)


def test_a_card_says_how_the_figures_were_obtained(model: Any, report: AnyReport) -> None:
    card = report.protocol
    assert (card.dataset, card.split, card.seed) == ("noise", "test", 1)
    assert (card.model, card.fingerprint) == (model.name, model.fingerprint)
    assert card.asked_hash == "of the split"
    assert card.split_hash
    assert card.incomplete, "a video of the split is gone"
    assert f"left out of test: {GONE}" in card.markdown()
    assert f"left out of test: {GONE}" in remarks_of([report]).said
    also = report.also_without({"train": (GONE,), "val": ()})
    assert also.protocol.left_out == {"test": (GONE,), "train": (GONE,)}
    assert also.values() == report.values()


def test_the_headline_is_in_the_table_and_in_the_model_card(task: Task, report: AnyReport) -> None:
    shown = f"{report.values()[headline(task)]:.1f}"
    assert shown in printed(report.table())
    assert f"{report.protocol.model} on noise test" in printed(report.table())
    rows = report.markdown()
    assert rows[1].startswith("|---")
    assert shown in rows[2]
    assert any("95 % interval" in row for row in rows)


def test_a_report_that_is_written_is_read_back_equal(report: AnyReport, tmp_path: Path) -> None:
    report.write(tmp_path / "metrics.json")
    assert read_report(tmp_path / "metrics.json") == report
    assert report.from_dict(json.loads(json.dumps(report.as_dict()))) == report
    few = report.figures()
    assert few.items() <= report.as_dict().items()
    assert len(json.dumps(few)) < len(json.dumps(report.as_dict()))


def test_a_report_does_not_differ_from_itself(
    task: Task, report: AnyReport, tmp_path: Path
) -> None:
    found = compare(report, report)
    assert headline(task) in found.differences
    for one in found.differences.values():
        assert one.a == one.b
        assert one.low == one.high == one.changed == 0
    assert found.a == f"{report.protocol.model} (seed 1)"
    assert headline(task) in printed(found.table())
    for name in ("a.json", "b.json"):
        report.write(tmp_path / name)
    assert compare_files(tmp_path / "a.json", tmp_path / "b.json") == found


def test_reports_of_unlike_protocols_are_not_compared(report: Any) -> None:
    other = replace(report, protocol=replace(report.protocol, dataset="other"))
    with pytest.raises(ConfigError, match=r"unlike protocols .*dataset: 'noise' against 'other'"):
        compare(report, other)
    trained = replace(report, protocol=replace(report.protocol, model="b", seed=2, left_out={}))
    assert compare(report, trained).b == "b (seed 2)"


def test_reports_of_two_kinds_are_not_compared(report: AnyReport) -> None:
    others = {type(one): one for one in (judged(t.tiny(), quick=True) for t in all_tasks())}
    for kind, other in others.items():
        if kind is not type(report):
            message = rf"are of {report.what} and of {other.what}, .*; give two of one kind"
            with pytest.raises(ConfigError, match=message):
                compare(report, other)


def test_a_draw_of_every_video_once_has_the_figures_of_the_report(
    task: Task, report: AnyReport
) -> None:
    found = report.drawn(np.ones((2, report.videos), int))
    assert headline(task) in found
    for name, values in found.items():
        np.testing.assert_allclose(values, report.values()[name], rtol=1e-6, atol=1e-9)


def test_scores_are_given_or_refused(
    task: Task, model: Any, report: AnyReport, tmp_path: Path
) -> None:
    asked = Asked(scores=tmp_path / "scores.npy")
    require_scores(model, NOTHING)
    if task.has_scores:
        require_scores(model, asked)
        found = judge(model, Noise(model), SPLIT, Named("noise", "test"), {}, asked=asked)
        assert found.values() == report.values()
        assert np.load(tmp_path / "scores.npy").shape == (14, 7)
    else:
        with pytest.raises(ConfigError, match=r"have no scores; leave out --scores, --post and"):
            require_scores(model, asked)


def test_captions_that_are_cut_count_where_they_are_read(task: Task, model: Any) -> None:
    long = replace(SPLIT.pairs[0], caption="a dog " * 400)
    split = replace(SPLIT, pairs=(long,))
    cuts = model.tokenize([long.caption]).cut is not None
    assert bool(unread_of(model, split)) == (cuts and task.reads_captions)
    assert bool(unread_of(model, split, learned=True)) == cuts


STRANGE = (None, True, -1, 1.5, 10**400, "a", [], [3], {}, {"a": 3})


def parts_of(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the parts of plain data are; of a list, the first and the last."""
    yield place
    if isinstance(value, dict):
        for name in value:
            yield from parts_of(value[name], (*place, name))
    elif isinstance(value, list) and value:
        for number in {0, len(value) - 1}:
            yield from parts_of(value[number], (*place, number))


def changed(value: Any, place: tuple[Any, ...], *new: Any) -> Any:
    """Plain data with another part at a place, or with none."""
    if not place:
        return new[0] if new else {}
    first, rest = place[0], place[1:]
    if not rest and not new:
        kept = value.items() if isinstance(value, dict) else enumerate(value)
        left = {name: part for name, part in kept if name != first}
        return left if isinstance(value, dict) else [*left.values()]
    copy = dict(value) if isinstance(value, dict) else [*value]
    copy[first] = changed(value[first], rest, *new)
    return copy


def test_what_is_read_as_a_report_can_be_shown_and_compared_or_is_refused(
    report: AnyReport, tmp_path: Path
) -> None:
    plain, path, read = json.loads(json.dumps(report.as_dict())), tmp_path / "metrics.json", 0
    for place in parts_of(plain):
        for new in (*((one,) for one in STRANGE), ()):
            path.write_text(json.dumps(changed(plain, place, *new)))
            try:
                found = read_report(path)
            except DataError:
                continue
            read += 1
            assert {*map(type, map(found.tells, found.values()))} <= {bool, np.bool_}
            assert found.figures().keys() <= plain.keys()
            assert found.protocol.markdown()
            assert card_rows(found.protocol)
            sentences(found.protocol.left_out)
            for value in found.values().values():
                math.isfinite(value)
            with suppress(ConfigError, DataError):
                compare(found, report)
    assert read
