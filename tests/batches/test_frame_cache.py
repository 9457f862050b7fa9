"""Frames on disk: the same as decoded, made once, named by content, bounded."""

import ast
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from media.numbered_video import write_numbered
from reeltune.batches.frame_cache import ABANDONED, SPARED, FrameCache, Frames, Wanted
from reeltune.batches.loader import FrameReader
from reeltune.errors import MediaError
from reeltune.media.sampling import Sampling
from reeltune.types import Pair, Pixels
from small_disk import small_disk

PIXELS = Pixels(size=8)
RULE = Sampling("uniform", 4.0)
ENTRY = 4 * 3 * 8 * 8 + 80  # bytes: the pixels and the header of a file


class Maker:
    """Makes frames that tell which call they are from."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, wanted: Wanted) -> Frames:
        self.calls += 1
        return np.full((4, 3, 8, 8), self.calls, np.uint8)


def video(folder: Path, name: str) -> Path:
    """A file with bytes of its own; the cache does not look into it."""
    path = folder / name
    path.write_bytes(name.encode() * 100)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> FrameCache:
    return FrameCache(tmp_path / "cache")


@pytest.fixture
def reader(cache: FrameCache) -> Iterator[FrameReader]:
    with FrameReader(Pixels(size=96, fit="squash"), 6, cache) as made:
        yield made


def entries(cache: FrameCache) -> list[Path]:
    return sorted(cache.folder.glob("*.safetensors"))


def test_a_hit_equals_a_miss_and_no_cache_at_all_bit_for_bit(
    tmp_path: Path, reader: FrameReader
) -> None:
    pair = Pair(video="v", path=write_numbered(tmp_path / "v.mp4"), caption="c")
    missed, hit = reader.read(pair), reader.read(pair)
    with FrameReader(reader.pixels, 6, None) as plain:
        np.testing.assert_array_equal(missed, plain.read(pair))
    np.testing.assert_array_equal(hit, missed)
    assert hit.dtype == np.uint8
    assert hit.shape == (6, 3, 96, 96)


def test_a_copy_of_the_file_hits(tmp_path: Path, cache: FrameCache) -> None:
    first, make = video(tmp_path, "a.mp4"), Maker()
    copy = Path(shutil.copy(first, tmp_path / "elsewhere.mp4"))
    cache.get(Wanted(first, RULE, PIXELS), make)
    assert cache.get(Wanted(copy, RULE, PIXELS), make).max() == 1
    assert make.calls == 1


def test_a_changed_file_misses_also_in_the_same_run(tmp_path: Path, cache: FrameCache) -> None:
    path, make = video(tmp_path, "a.mp4"), Maker()
    cache.get(Wanted(path, RULE, PIXELS), make)
    path.write_bytes(b"other footage")
    cache.get(Wanted(path, RULE, PIXELS), make)
    assert make.calls == 2


def test_what_cannot_be_read_is_left_out_as_what_cannot_be_decoded(
    tmp_path: Path, cache: FrameCache
) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="it is not a regular file"):
        cache.get(Wanted(tmp_path / "pipe.mp4", RULE, PIXELS), Maker())


@pytest.mark.parametrize(
    "other",
    [
        (Sampling("uniform", 5.0), PIXELS),
        (Sampling("uniform", 4.0, 0.0, 1.0), PIXELS),
        (Sampling("uniform", 4.0, 0.5, 1.0), PIXELS),
        (RULE, Pixels(size=16)),
        (RULE, Pixels(size=8, fit="squash")),
        (RULE, Pixels(size=8, resample="bilinear")),
        (RULE, Pixels(size=8, shortest=10)),
    ],
    ids=["frames", "span", "start", "size", "fit", "resample", "shortest"],
)
def test_another_reading_of_the_same_file_misses(
    tmp_path: Path, cache: FrameCache, other: tuple[Sampling, Pixels]
) -> None:
    path, make = video(tmp_path, "a.mp4"), Maker()
    cache.get(Wanted(path, RULE, PIXELS), make)
    cache.get(Wanted(path, *other), make)
    assert make.calls == 2


def test_another_process_finds_what_this_one_made(tmp_path: Path, cache: FrameCache) -> None:
    path, make = video(tmp_path, "a.mp4"), Maker()
    cache.get(Wanted(path, RULE, PIXELS), make)
    FrameCache(cache.folder).get(Wanted(path, RULE, PIXELS), make)
    assert make.calls == 1


def test_entries_read_longest_ago_go_first(tmp_path: Path) -> None:
    cache, make = FrameCache(tmp_path / "cache", limit=10 * ENTRY), Maker()
    clips = [Wanted(video(tmp_path, f"{i}.mp4"), RULE, PIXELS) for i in range(11)]
    for number, clip in enumerate(clips[:10]):
        cache.get(clip, make)
        (newest,) = set(entries(cache)) - set(_aged(cache))
        os.utime(newest, (1000 + number, 1000 + number))
    cache.get(clips[0], make)  # made first, but read last
    cache.get(clips[10], make)
    assert sum(path.stat().st_size for path in entries(cache)) <= SPARED * 10 * ENTRY
    assert make.calls == 11
    cache.get(clips[0], make)
    assert make.calls == 11, "what was read last was evicted"
    cache.get(clips[1], make)
    assert make.calls == 12, "what was read longest ago was kept"


def _aged(cache: FrameCache) -> list[Path]:
    return [path for path in entries(cache) if path.stat().st_mtime < 2000]


def test_the_limit_also_counts_what_was_there_before(tmp_path: Path) -> None:
    make = Maker()
    for number in range(12):
        cache = FrameCache(tmp_path / "cache", limit=5 * ENTRY)
        cache.get(Wanted(video(tmp_path, f"{number}.mp4"), RULE, PIXELS), make)
        assert len(entries(cache)) <= 5


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:5],
        lambda whole: whole[:100],
        lambda whole: whole[:-1],
        lambda whole: whole + b"\0",
        lambda whole: b"PK\x03\x04" + whole[4:],
        lambda whole: bytes(len(whole)),
        lambda whole: whole.replace(b"[4,3", b"[2,3"),
        lambda whole: whole.replace(b"[4,3,8,8]", b"[4,192]  "),
        lambda whole: whole.replace(b"U8", b"I8"),
    ],
    ids=["empty", "magic", "header", "short", "long", "zip", "zeros", "shape", "axes", "kind"],
)
def test_a_broken_entry_is_made_again(
    tmp_path: Path, cache: FrameCache, damage: Callable[[bytes], bytes]
) -> None:
    wanted, make = Wanted(video(tmp_path, "a.mp4"), RULE, PIXELS), Maker()
    cache.get(wanted, make)
    (entry,) = entries(cache)
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    assert cache.get(wanted, make).max() == 2
    assert cache.get(wanted, make).max() == 2, "the new entry was not written"
    assert make.calls == 2


def test_reading_an_entry_parses_no_python(
    tmp_path: Path, cache: FrameCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In Python 3.11 its parser fails at times where several threads use it at once: a header of
    # numpy's, which is Python, ended a training with "recursion depth mismatch".
    wanted, make = Wanted(video(tmp_path, "a.mp4"), RULE, PIXELS), Maker()
    cache.get(wanted, make)
    monkeypatch.setattr(ast, "parse", None)
    assert cache.get(wanted, make).max() == 1


def test_entries_of_an_earlier_kind_are_evicted_first(tmp_path: Path) -> None:
    earlier = tmp_path / "cache" / "0.npy"
    earlier.parent.mkdir()
    earlier.write_bytes(bytes(ENTRY))
    os.utime(earlier, (1000, 1000))
    cache, make = FrameCache(tmp_path / "cache", limit=2 * ENTRY), Maker()
    for number in range(2):
        cache.get(Wanted(video(tmp_path, f"{number}.mp4"), RULE, PIXELS), make)
    assert not earlier.exists()
    assert entries(cache)


def test_what_a_killed_writer_left_is_dropped_later(cache: FrameCache) -> None:
    old, new = (cache.folder / f".{name}.safetensors.77.88" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    long_ago = time.time() - 2 * ABANDONED
    os.utime(old, (long_ago, long_ago))
    FrameCache(cache.folder)
    assert not old.exists()
    assert new.exists(), "it may be that of a process that still writes"


def test_an_error_of_the_maker_passes_through_and_leaves_nothing(
    tmp_path: Path, cache: FrameCache
) -> None:
    def refuse(wanted: Wanted) -> Frames:
        raise MediaError(str(wanted.path), "no picture in it")

    with pytest.raises(MediaError, match=r"a\.mp4: no picture in it"):
        cache.get(Wanted(video(tmp_path, "a.mp4"), RULE, PIXELS), refuse)
    assert list(cache.folder.iterdir()) == []


def test_a_missing_video_is_named(tmp_path: Path, cache: FrameCache) -> None:
    with pytest.raises(MediaError, match=r"gone\.mp4: cannot be read: No such file"):
        cache.get(Wanted(tmp_path / "gone.mp4", RULE, PIXELS), Maker())


def test_threads_that_miss_one_clip_at_once_all_get_it(tmp_path: Path, cache: FrameCache) -> None:
    wanted = Wanted(video(tmp_path, "a.mp4"), RULE, PIXELS)

    def slow(wanted: Wanted) -> Frames:
        time.sleep(0.02)  # so that all threads miss before the first writes
        return np.full((4, 3, 8, 8), 7, np.uint8)

    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda _: cache.get(wanted, slow), range(64)))
    assert all((frames == 7).all() for frames in got)
    assert len(list(cache.folder.iterdir())) == 1, "a half-written file was left"


def test_threads_and_caches_may_evict_each_others_entries(tmp_path: Path) -> None:
    clips = [Wanted(video(tmp_path, f"{i}.mp4"), RULE, PIXELS) for i in range(20)]
    caches = [FrameCache(tmp_path / "cache", limit=4 * ENTRY) for _ in range(2)]

    def make(wanted: Wanted) -> Frames:
        return np.full((4, 3, 8, 8), int(wanted.path.stem), np.uint8)

    def ask(number: int) -> bool:
        wanted = clips[number * 7 % 20]
        return bool((caches[number % 2].get(wanted, make) == int(wanted.path.stem)).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(600)))


def test_a_full_disk_is_an_error_that_names_the_cache_and_leaves_no_half_of_a_file(
    tmp_path: Path,
) -> None:
    wanted = Wanted(video(tmp_path, "a.mp4"), RULE, PIXELS)
    with small_disk(tmp_path / "disk", "16k") as disk:
        cache = FrameCache(disk / "frames")
        with pytest.raises(OSError, match=r"No space left.*frames"):
            cache.get(wanted, lambda _: np.zeros((100, 3, 8, 8), np.uint8))
        assert [*cache.folder.iterdir()] == []
