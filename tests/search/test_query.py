"""Whole answers over a real table, against the slow and obvious way."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moment_tables import DAY, DIM, NEW_YEAR, moments, random_files, rows_of, shots, table, unit
from test_fold import everything, slow_choice

from reeltune.errors import ConfigError
from reeltune.search import query as query_module
from reeltune.search._confidence import confidence
from reeltune.search._usual import Usual
from reeltune.search.query import Ask, answer, videos
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.nearest import build_index
from reeltune.search.store.schema import TAKEN
from reeltune.types import Hit

CHANCE = partial(confidence, usual=Usual(0.0, 1.0, 0.0), kind="text")


@pytest.fixture(params=[1, 256])
def first_look(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a first look at one moment, every answer must widen to be right."""
    monkeypatch.setattr(query_module, "FIRST_LOOK", request.param)
    monkeypatch.setattr(query_module, "PER_ANSWER", 1)


@pytest.mark.usefixtures("first_look")
@pytest.mark.parametrize("per_video", [None, 1, 2])
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), files=st.integers(1, 12), k=st.integers(1, 20))
def test_an_answer_equals_the_slow_walk_over_all_moments(
    tmp_path_factory: pytest.TempPathFactory, per_video: int | None, seed: int, files: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    made = random_files(rng, files)
    dataset = table(tmp_path_factory.mktemp("t"), *made)
    query = unit(rng, DIM)
    hits = answer(Gallery.read(dataset), query, Ask(k=k, per_video=per_video))
    found = everything(query, *made)
    expected = slow_choice(found, k, per_video, fold=True)
    assert [hit.id for hit in hits] == [found.id[row] for row in expected]
    assert [hit.score for hit in hits] == [found.score[row] for row in expected]


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.integers(2, 9))
def test_the_order_of_rows_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int, files: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = rows_of(*random_files(rng, files))
    folder, query = tmp_path_factory.mktemp("t"), unit(rng, DIM)
    one = Table.create(folder / "a.lance", rows)
    two = Table.create(folder / "b.lance", rows.take(rng.permutation(len(rows))))
    assert answer(Gallery.read(one), query) == answer(Gallery.read(two), query)
    assert videos(Gallery.read(one), query) == videos(Gallery.read(two), query)


@pytest.mark.usefixtures("first_look")
@pytest.mark.parametrize("per_video", [None, 1, 2])
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000), files=st.integers(1, 12), share=st.floats(0, 1))
def test_a_least_confidence_leaves_out_what_is_less_sure_as_if_it_were_not_there(
    tmp_path_factory: pytest.TempPathFactory,
    per_video: int | None,
    seed: int,
    files: int,
    share: float,
) -> None:
    rng = np.random.default_rng(seed)
    made = random_files(rng, files)
    gallery, query = Gallery.read(table(tmp_path_factory.mktemp("t"), *made)), unit(rng, DIM)
    known = {
        hit.id: hit.confidence
        for hit in answer(gallery, query, Ask(k=1000, per_video=1000, fold=False), CHANCE)
    }
    least = float(np.quantile(list(known.values()), share))
    found = everything(query, *made)
    found = found.those(np.array([known[id] >= least for id in found.id], bool))
    expected = slow_choice(found, 5, per_video, fold=True)
    hits = answer(gallery, query, Ask(k=5, per_video=per_video, min_confidence=least), CHANCE)
    assert [hit.id for hit in hits] == [found.id[row] for row in expected]


def test_the_best_are_shown_by_date_the_newest_first(tmp_path: Path) -> None:
    query = np.eye(DIM, dtype=np.float32)[0]
    vectors = np.stack([np.cos(a) * query + np.sin(a) * np.eye(DIM)[1] for a in np.arange(5) / 5])
    files = [moments(f"v{i}", vector[None]) for i, vector in enumerate(vectors)]
    days = (1, 3, 2, 3, 9)  # after New Year; the last is not among the best
    files = [  # a better one is earlier by less than a second, which no date tells
        replace(one, file=replace(one.file, modified_ns=NEW_YEAR + day * DAY + number * 10**8))
        for number, (one, day) in enumerate(zip(files, days, strict=True))
    ]
    hits = answer(Gallery.read(table(tmp_path, *files)), query, Ask(k=4, fold=False, sort="date"))
    assert [(hit.path, hit.date) for hit in hits] == [
        ("v1.mp4", "2026-01-04T00:00:00Z"),
        ("v3.mp4", "2026-01-04T00:00:00Z"),
        ("v2.mp4", "2026-01-03T00:00:00Z"),
        ("v0.mp4", "2026-01-02T00:00:00Z"),
    ]


def test_the_date_is_that_of_taking_where_it_is_known(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rows_of(*(moments(name, unit(rng, 1, DIM)) for name in "abc"))
    at = rows.schema.get_field_index(TAKEN)
    days = [None, datetime(2015, 7, 1, 12, tzinfo=UTC), datetime(1960, 2, 3, tzinfo=UTC)]
    known = rows.set_column(at, rows.schema.field(at), pa.array(days, rows.schema.field(at).type))
    new = "2026-01-01T00:00:00Z"
    for name, stored, dates in (
        ("known", known, [new, "2015-07-01T12:00:00Z", "1960-02-03T00:00:00Z"]),
        ("older", rows.drop_columns([TAKEN]), [new] * 3),
    ):
        gallery = Gallery.read(Table.create(tmp_path / name, stored))
        hits = answer(gallery, unit(rng, DIM), Ask(sort="date"))
        assert [hit.date for hit in hits] == dates


def test_more_answers_go_on_where_fewer_stop(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gallery, query = Gallery.read(table(tmp_path, *random_files(rng, 60))), unit(rng, DIM)
    for fewer, more in pairwise(answer(gallery, query, Ask(k=k, per_video=1)) for k in (1, 5, 9)):
        assert more[: len(fewer)] == fewer


def test_a_hit_tells_what_the_table_tells(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = unit(rng, 2, DIM)
    files = [moments("a", vectors[:1]), moments("b", vectors[:1]), moments("c", vectors[1:])]
    dataset = table(tmp_path, *files)
    best = answer(Gallery.read(dataset), vectors[0])[0]
    ids = dataset.to_table(columns=["id"], filter="path in ('a.mp4', 'b.mp4')")["id"].to_pylist()
    assert best.id == min(ids)
    assert best.path in ("a.mp4", "b.mp4")
    assert (best.start, best.end, best.duration, best.similar) == (0.0, 8.0, 8.0, 1)
    assert best.score == pytest.approx(1)
    assert best.caption is None
    assert {type(value) for value in vars(best).values()} <= {str, int, float, dict, type(None)}


def test_a_single_film_answers_with_its_moments(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    film = shots(moments("film", unit(rng, 2000, DIM)))
    gallery = Gallery.read(table(tmp_path, film, moments("other", unit(rng, 1, DIM))))
    hits = answer(gallery, unit(rng, DIM), Ask(k=10))
    assert len(hits) == 10
    assert {hit.path for hit in hits} == {"film.mp4", "other.mp4"}


def test_answers_through_the_index_are_those_of_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dataset = table(tmp_path, *(moments(f"v{i}", unit(rng, 4, DIM)) for i in range(100)))
    build_index(dataset)
    memory, disk = Gallery(dataset), Gallery(dataset, ann_rows=10)
    for where in (None, "path like 'v1%'", "start > 4 and size = 1002", "duration > 1000"):
        for ask in (Ask(k=7, where=where), Ask(k=7, where=where, per_video=1)):
            query = unit(rng, DIM)
            hits = answer(memory, query, ask)
            assert hits == answer(disk, query, ask)
            assert len(hits) == (0 if where == "duration > 1000" else 7)


def test_an_empty_library_has_no_answers(tmp_path: Path) -> None:
    rows = rows_of(moments("a", unit(np.random.default_rng(0), 1, DIM)))[:0]
    gallery = Gallery.read(Table.create(tmp_path / "t.lance", rows))
    assert answer(gallery, np.zeros(DIM, np.float32)) == []
    assert videos(gallery, np.zeros(DIM, np.float32)) == []


def test_a_videos_score_is_the_mean_of_its_best_two(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = {name: unit(rng, count, DIM) for name, count in (("a", 1), ("b", 2), ("c", 5))}
    query = unit(rng, DIM)
    gallery = Gallery.read(table(tmp_path, *(moments(n, v) for n, v in made.items())))
    expected = {f"{n}.mp4": float(np.mean(np.sort(v @ query)[-2:])) for n, v in made.items()}
    got = videos(gallery, query)
    assert [name for name, _ in got] == sorted(expected, key=lambda name: -expected[name])
    np.testing.assert_allclose([s for _, s in got], sorted(expected.values())[::-1], atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"k": 0}, r"k is 0; ask for at least 1 answer"),
        ({"per_video": 0}, r"per_video is 0; allow at least 1, or leave it out for no limit"),
        ({"min_confidence": -0.1}, r"min_confidence is -0.1; give a share from 0 to 1"),
        (
            {"min_confidence": 35.0},
            r"min_confidence is 35.0; give a share from 0 to 1, such as 0.5",
        ),
        ({"min_confidence": float("nan")}, r"min_confidence is nan; give a share from 0 to 1"),
        ({"sort": "size"}, r"sort is 'size'; sort by match or date"),
        ({"k": 2.5}, r"k is 2.5; ask for a whole number of answers"),
        ({"min_confidence": "much"}, r"min_confidence is 'much'; give a number"),
        ({"between": (0, math.inf)}, r"a time searched is inf; give seconds, or None for no lim"),
        ({"between": (math.nan, None)}, r"a time searched is nan; give seconds"),
        ({"between": (np.float32(3), 2)}, r"the time searched is from 3 to 2 s; let it end after"),
    ],
)
def test_an_ask_that_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Ask(**wrong)


def test_the_numbers_of_an_ask_are_plain_ones_whoever_made_them() -> None:
    ask = Ask(k=np.int64(3), min_confidence=np.float32(0.5), between=(np.float64(1), 2))
    assert ask == Ask(k=3, min_confidence=0.5, between=(1.0, 2.0))
    assert {*map(type, (ask.k, ask.min_confidence, *ask.between))} == {int, float}


def test_the_type_of_hits(tmp_path: Path) -> None:
    gallery = Gallery.read(table(tmp_path, moments("a", unit(np.random.default_rng(0), 1, DIM))))
    query = unit(np.random.default_rng(0), DIM)
    (hit,) = answer(gallery, query, chance=CHANCE)
    assert isinstance(hit, Hit)
    assert hit.confidence is not None
    assert 0 <= hit.confidence <= 1
    assert answer(gallery, query) == [replace(hit, confidence=None)]


def test_who_wants_many_answers_keeps_nobody_waiting(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gallery = Gallery.read(table(tmp_path / "t", *random_files(rng, 3)))
    query = unit(rng, DIM)
    with ThreadPoolExecutor(2) as pool:
        with gallery.rank(query).turns:
            few = pool.submit(answer, gallery, query, Ask(k=query_module.BRIEF))
            many = pool.submit(answer, gallery, query, Ask(k=query_module.BRIEF + 1))
            found = many.result(30)
            assert not few.done()
        assert few.result(30) == found
