"""Queries over a real table, against the slow and obvious way."""

from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reeltune.errors import ConfigError
from reeltune.search._fold import BITS, COSINE
from reeltune.search._gallery import Found, Gallery, build_index, thumbnails
from reeltune.search._manifest import Manifest
from reeltune.search._schema import Moments, VideoFile, to_table
from reeltune.search.query import Ask, answer, videos

DIM = 8
MANIFEST = Manifest(model="m", fingerprint="f", dim=DIM, sampling="gap 2", moments="s")


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.standard_normal(shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def moments(name: str, vectors: np.ndarray, dhash: np.ndarray | None = None) -> Moments:
    count = len(vectors)
    day = 86_400 * 10**9
    return Moments(
        file=VideoFile(
            path=f"{name}.mp4",
            location=f"/videos/{name}.mp4",
            size=1000 + len(name),
            modified_ns=20_454 * day,  # 2026-01-01
            video=name,
        ),
        duration=4.0 * count + 4,
        width=640,
        height=480,
        note="",
        start=np.arange(count) * 4.0,
        end=np.arange(count) * 4.0 + 8,  # each overlaps the next
        vector=vectors,
        dhash=np.arange(count) * 0x0F0F0F0F0F0F0F if dhash is None else dhash,
        thumbnail=[f"{name}{i}".encode() for i in range(count)],
        baseline_mean=np.zeros(count, np.float32),
        baseline_std=np.ones(count, np.float32),
    )


def table(folder: Path, *files: Moments) -> lance.LanceDataset:
    rows = pa.concat_tables([to_table(file, MANIFEST, 0) for file in files])
    return lance.write_dataset(rows, str(folder / "t.lance"))


def slow_answer(dataset: lance.LanceDataset, query: np.ndarray, k: int) -> list[tuple[str, float]]:
    """First the best moment of each video, then what else does not overlap a taken one."""
    rows = dataset.to_table(columns=["id", "video", "start", "end", "vector"]).to_pylist()
    for row in rows:
        row["score"] = float(np.float32(np.asarray(row["vector"], np.float32) @ query))
    rows.sort(key=lambda row: (-row["score"], row["id"]))
    seen: set[str] = set()
    firsts = [r for r in rows if not (r["video"] in seen or seen.add(r["video"]))]
    taken: list[dict] = []
    for row in [*firsts, *(r for r in rows if r not in firsts)]:
        clash = [
            t
            for t in taken
            if t["video"] == row["video"] and t["start"] < row["end"] and row["start"] < t["end"]
        ]
        if len(taken) < k and not clash:
            taken.append(row)
    taken.sort(key=lambda row: (-row["score"], row["id"]))
    return [(row["id"], row["score"]) for row in taken]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 30))
def test_an_answer_equals_the_slow_way(
    tmp_path_factory: pytest.TempPathFactory, seed: int, files: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 9, files)
    made = [
        moments(f"v{i}", unit(rng, int(count), DIM), rng.integers(0, 2**62, count))
        for i, count in enumerate(counts)
    ]
    dataset = table(tmp_path_factory.mktemp("t"), *made)
    query = unit(rng, DIM)
    got = answer(Gallery.read(dataset), query, Ask(k=k))
    expected = slow_answer(dataset, query, k)
    assert [hit.id for hit in got] == [id for id, _ in expected]
    np.testing.assert_allclose([hit.score for hit in got], [s for _, s in expected], atol=1e-6)


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = [moments(f"v{i}", unit(rng, 3, DIM)) for i in range(5)]
    one, two = table(tmp_path / "a", *made), table(tmp_path / "b", *reversed(made))
    query = unit(rng, DIM)
    assert answer(Gallery.read(one), query) == answer(Gallery.read(two), query)


def test_equal_scores_stand_in_the_order_of_ids(tmp_path: Path) -> None:
    same = np.tile(unit(np.random.default_rng(0), DIM), (1, 1))
    files = [moments(f"v{i}", same, np.array([i * 0x0F0F0F0F0F0F0F0])) for i in range(8)]
    hits = answer(Gallery.read(table(tmp_path, *files)), same[0], Ask(k=3))
    ids = sorted(to_table(file, MANIFEST, 0)["id"][0].as_py() for file in files)
    assert [hit.id for hit in hits] == ids[:3]


def test_near_duplicates_fold_only_if_picture_and_meaning_agree(tmp_path: Path) -> None:
    a = unit(np.random.default_rng(0), DIM)
    near = (a + 0.02 * unit(np.random.default_rng(1), DIM)).astype(np.float32)
    near /= np.linalg.norm(near)
    few, many = (1 << BITS // 2) - 1, (1 << 40) - 1
    dataset = table(
        tmp_path,
        moments("a", a[None], np.array([0])),
        moments("copy", near[None], np.array([few])),
        moments("same words, other picture", near[None], np.array([many])),
    )
    assert float(a @ near) > COSINE
    hits = answer(Gallery.read(dataset), a, Ask(k=5))
    assert [(hit.path, hit.similar) for hit in hits] == [
        ("a.mp4", 1),
        ("same words, other picture.mp4", 0),
    ]
    assert len(answer(Gallery.read(dataset), a, Ask(k=5, fold=False))) == 3


def test_filters_give_the_same_in_memory_and_through_the_index(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dataset = table(tmp_path, *(moments(f"v{i}", unit(rng, 4, DIM)) for i in range(100)))
    build_index(dataset)
    dataset = lance.dataset(dataset.uri)
    exact, indexed = Gallery(dataset), Gallery(dataset, ann_rows=10)
    for where in (None, "path like 'v1%'", "start > 4 and size = 1002", "date < '2026-01-02'"):
        query = unit(rng, DIM)
        one = answer(exact, query, Ask(k=7, where=where))
        two = answer(indexed, query, Ask(k=7, where=where))
        assert len(one) == 7
        assert [hit.id for hit in one] == [hit.id for hit in two]
    assert answer(exact, query, Ask(where="duration > 1000")) == []
    assert answer(indexed, query, Ask(where="duration > 1000")) == []


def test_rows_added_after_the_index_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dataset = table(tmp_path, *(moments(f"v{i}", unit(rng, 4, DIM)) for i in range(100)))
    build_index(dataset)
    new = unit(rng, 1, DIM)
    added = to_table(moments("new", new), MANIFEST, 0)
    dataset = lance.write_dataset(added, dataset.uri, mode="append")
    (hit,) = answer(Gallery(dataset, ann_rows=10), new[0], Ask(k=1))
    assert hit.path == "new.mp4"


def test_a_filter_of_known_words_that_makes_no_sense_is_explained(tmp_path: Path) -> None:
    gallery = Gallery.read(table(tmp_path, moments("a", unit(np.random.default_rng(0), 2, DIM))))
    for filter in ("duration >", "and and", "path > 3 in"):
        with pytest.raises(ConfigError, match=r"makes no sense \(.*columns are path"):
            answer(gallery, np.zeros(DIM, np.float32), Ask(where=filter))


def test_an_empty_library_has_no_answers(tmp_path: Path) -> None:
    rows = to_table(moments("a", unit(np.random.default_rng(0), 1, DIM)), MANIFEST, 0)[:0]
    dataset = lance.write_dataset(rows, str(tmp_path / "t.lance"))
    assert answer(Gallery.read(dataset), np.zeros(DIM, np.float32)) == []


def test_a_videos_score_is_the_mean_of_its_best_two(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = {name: unit(rng, count, DIM) for name, count in (("a", 1), ("b", 2), ("c", 5))}
    query = unit(rng, DIM)
    gallery = Gallery.read(table(tmp_path, *(moments(n, v) for n, v in made.items())))
    expected = {f"{n}.mp4": float(np.mean(np.sort(v @ query)[-2:])) for n, v in made.items()}
    got = videos(gallery, query)
    assert [name for name, _ in got] == sorted(expected, key=lambda name: -expected[name])
    np.testing.assert_allclose([s for _, s in got], sorted(expected.values())[::-1], atol=1e-6)


def test_thumbnails_come_by_id(tmp_path: Path) -> None:
    dataset = table(tmp_path, moments("a", unit(np.random.default_rng(0), 3, DIM)))
    ids = dataset.to_table(columns=["id"], filter="part = 1")["id"].to_pylist()
    assert thumbnails(dataset, ids) == {ids[0]: b"a1"}
    assert thumbnails(dataset, []) == {}


def test_confidence_grows_with_the_score_and_shrinks_with_the_number_searched() -> None:
    from reeltune.search._confidence import picture_confidence, text_confidence

    rows = to_table(moments("a", unit(np.random.default_rng(0), 3, DIM)), MANIFEST, 0)
    names = ["id", "video", "path", "start", "end", "duration", "dhash"]
    kept = rows.select([*names, "baseline_mean", "baseline_std"])
    found = Found.of(kept, np.zeros((3, DIM)), np.array([5.0, 3.0, 1.0]), True)
    few, many = text_confidence(found, 10), text_confidence(found, 100_000)
    assert (np.diff(few) < 0).all()
    assert (few > many).all()
    pictures = Found.of(kept, np.zeros((3, DIM)), np.array([0.99, 0.4, 0.3]), True)
    sure = picture_confidence(pictures, 3)
    assert sure[0] > 0.9
    assert sure[1] < 0.1
