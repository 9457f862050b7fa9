"""Folding and grouping, against a slow and obvious walk."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moment_tables import DIM, Moments, moments, random_files, rows_of, shots, unit

from reeltune.search._fold import BITS, COSINE, choose
from reeltune.search.store.found import Found
from reeltune.search.store.nearest import exact_scores, vectors_of


def everything(query: np.ndarray, *files: Moments) -> Found:
    rows = rows_of(*files)
    vectors = vectors_of(rows)
    scores = exact_scores(vectors, query)
    return Found.of(rows, vectors, scores, complete=len(scores), has_all=True, has_videos=True)


def near(vector: np.ndarray, seed: int = 1) -> np.ndarray:
    moved = vector + 0.02 * unit(np.random.default_rng(seed), DIM)
    return (moved / np.linalg.norm(moved)).astype(np.float32)


A, B, C = np.eye(DIM, dtype=np.float32)[:3]
QUERY = np.array([0.9, 0.3, 0.2, 0, 0, 0, 0, 0], np.float32)
FAR = (1 << 40) - 1


def shown(found: Found, *args: object, **options: object) -> list[tuple[str, float, int]]:
    chosen = choose(found, *args, **options)
    pairs = zip(chosen.rows, chosen.similar, strict=True)
    return [(found.path[r].removesuffix(".mp4"), float(found.start[r]), n) for r, n in pairs]


def test_windows_that_overlap_fold_into_the_better_one() -> None:
    found = everything(QUERY, moments("film", np.stack([B, A, C])))
    assert shown(found, 10) == [("film", 4.0, 0)]
    assert shown(found, 10, fold=False) == [("film", 4.0, 0), ("film", 0.0, 0), ("film", 8.0, 0)]


def test_shots_that_follow_each_other_are_two_things() -> None:
    film = shots(moments("film", np.stack([B, A]), np.array([0, 0])))
    assert shown(everything(QUERY, film), 10) == [("film", 4.0, 0), ("film", 0.0, 0)]


def test_windows_that_touch_and_look_the_same_are_one() -> None:
    film = shots(moments("film", np.stack([near(A), A]), np.array([1, 0])))
    assert shown(everything(A, film), 10) == [("film", 4.0, 0)]
    apart = replace(film, start=np.array([0.0, 60.0]), end=np.array([4.0, 64.0]))
    assert len(shown(everything(A, apart), 10)) == 2


def test_near_duplicates_fold_only_if_picture_and_meaning_agree() -> None:
    few = (1 << BITS) - 1
    assert float(A @ near(A)) > COSINE
    found = everything(
        QUERY,
        moments("a", A[None], np.array([0])),
        moments("copy", near(A)[None], np.array([few])),
        moments("other picture", near(A, 2)[None], np.array([FAR])),
        moments("other meaning", B[None], np.array([0])),
    )
    names = {name: similar for name, _, similar in shown(found, 5)}
    assert len(names) == 3
    assert (names.get("a"), names.get("copy")) in [(1, None), (None, 1)]
    assert names["other picture"] == names["other meaning"] == 0
    assert len(shown(found, 5, fold=False)) == 4


def test_the_sign_bit_of_a_hash_counts_as_one_bit() -> None:
    low, high = np.array([0]), np.array([-(2**63)])
    found = everything(QUERY, moments("a", A[None], low), moments("b", A[None], high))
    assert len(shown(found, 5)) == 1


def test_a_copy_of_a_film_does_not_bring_back_what_the_film_may_not_show() -> None:
    first, second = moments("film", np.stack([A, C, B])), moments("copy", np.stack([A, C, B]))
    found = everything(QUERY, first, second)
    (hit,) = shown(found, 10, per_video=1)
    assert hit[2] == 1


def test_many_videos_come_before_many_moments() -> None:
    one = shots(moments("one", np.stack([A, near(A), near(A, 2)]), np.array([0, FAR, ~FAR])))
    two = moments("two", C[None])
    found = everything(QUERY, one, two)
    assert [name for name, _, _ in shown(found, 2)] == ["one", "two"]
    assert [name for name, _, _ in shown(found, 3)] == ["one", "one", "two"]
    assert [name for name, _, _ in shown(found, 2, per_video=2)] == ["one", "one"]
    assert [name for name, _, _ in shown(found, 9, per_video=1)] == ["one", "two"]


def is_folded(found: Found, row: int, into: int) -> bool:
    """The rules in words of one moment and another."""
    differing = bin((int(found.dhash[row]) ^ int(found.dhash[into])) % (1 << 64)).count("1")
    same_look = differing <= BITS and float(found.vector[row] @ found.vector[into]) >= COSINE
    if found.video[row] != found.video[into]:
        return same_look
    first, last = sorted((row, into), key=lambda one: found.start[one])
    gap = found.start[last] - found.end[first]
    return gap < -1e-3 or (gap <= 1e-3 and same_look)


def slow_choice(found: Found, k: int, per_video: int | None, fold: bool) -> list[int]:
    """One moment after the other, looking back at all that were taken."""
    taken: list[int] = []
    used: dict[int, int] = {}
    stands_for: set[tuple[int, int]] = set()
    passes = [1, 10**9] if per_video is None else [per_video]
    for number, most in enumerate(passes):
        seen: set[int] = set()
        for row in range(len(found.score)):
            video = int(found.video[row])
            if per_video is None and number == 0 and video in seen:
                continue
            seen.add(video)
            if len(taken) == k or row in taken:
                continue
            into = [other for other in taken if is_folded(found, row, other)] if fold else []
            own = [other for other in into if found.video[other] == video]
            if into and not own and (video, into[0]) not in stands_for:
                stands_for.add((video, into[0]))
                used[video] = used.get(video, 0) + 1
            if not into and used.get(video, 0) < most:
                taken.append(row)
                used[video] = used.get(video, 0) + 1
    return sorted(taken)


CASES = (
    st.integers(0, 10_000),
    st.integers(1, 9),
    st.integers(1, 12),
    st.sampled_from([None, 1, 2]),
    st.booleans(),
)


def drawn(seed: int, files: int) -> Found:
    rng = np.random.default_rng(seed)
    return everything(unit(rng, DIM), *random_files(rng, files))


@settings(max_examples=150)
@given(*CASES)
def test_a_choice_equals_the_slow_walk(
    seed: int, files: int, k: int, per_video: int | None, fold: bool
) -> None:
    found = drawn(seed, files)
    chosen = choose(found, k, per_video, fold)
    assert chosen.rows == slow_choice(found, k, per_video, fold)
    assert chosen.settled


@settings(max_examples=50)
@given(*CASES)
def test_folding_twice_is_folding_once(
    seed: int, files: int, k: int, per_video: int | None, fold: bool
) -> None:
    found = drawn(seed, files)
    rows = choose(found, k, per_video, fold).rows
    kept = {name: getattr(found, name) for name in Found.__dataclass_fields__}
    kept |= {n: np.asarray(v)[rows] for n, v in kept.items() if isinstance(v, np.ndarray)}
    kept |= {"texts": found.texts.take(rows), "complete": len(rows)}
    assert choose(Found(**kept), k, per_video, fold).rows == list(range(len(rows)))


@pytest.mark.parametrize("per_video", [1, 2])
@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), files=st.integers(1, 9))
def test_more_answers_go_on_where_fewer_stop(per_video: int, seed: int, files: int) -> None:
    found = drawn(seed, files)
    answers = [choose(found, k, per_video).rows for k in range(1, 12)]
    for fewer, more in pairwise(answers):
        assert more[: len(fewer)] == fewer


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_more_answers_hold_all_of_fewer(seed: int, files: int) -> None:
    found = drawn(seed, files)
    for fewer, more in pairwise(choose(found, k).taken for k in range(1, 12)):
        assert more[: len(fewer)] == fewer
    for fewer, more in pairwise(set(choose(found, k).rows) for k in range(1, 12)):
        assert fewer <= more
