"""Stored frame features: both formats, in and out, through kills and by hand."""

import math
import os
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.slow_rules import slow_choice
from reeltune.errors import DataError
from reeltune.features.index import Making
from reeltune.features.official import rebuilt
from reeltune.features.shown_rows import shown_rows
from reeltune.features.store import DATA, FeatureReader, Features, as_id
from reeltune.features.writer import FeatureWriter, Format
from reeltune.media.sampling import Sampling
from reeltune.types import Pair

FORMATS: list[Format] = ["own", "official"]


def making(format: Format = "own", width: int = 3) -> Making:
    dtype = "float32" if format == "official" else "float16"
    return Making(width=width, dtype=dtype, model="toy", fingerprint="f", sampling="fps 2")


def clips(seed: int = 0) -> dict[str, np.ndarray]:
    """Features of three videos, exact in float16."""
    source = np.random.default_rng(seed)
    lengths = {"cat": 4, "dog_2": 1, "a/b.c": 7}
    return {v: source.integers(-9, 9, (n, 3)).astype(np.float32) for v, n in lengths.items()}


def edges_of(rows: np.ndarray) -> list[float]:
    return [0.5 * n for n in range(len(rows) + 1)]


def store(folder: Path, format: Format = "own", **more: np.ndarray) -> Path:
    with FeatureWriter(folder, making(format), format) as writer:
        for video, rows in (clips() | more).items():
            writer.append(video, rows, edges_of(rows))
    return folder


def write_by_hand(folder: Path, names: str, rows: np.ndarray, frames: str | None = None) -> Path:
    """The official files as their authors' programs write them."""
    folder.mkdir()
    rows.astype("<f4").tofile(folder / "feature.bin")
    (folder / "shape.txt").write_text(f"{rows.shape[0]} {rows.shape[1]}")
    (folder / "id.txt").write_bytes(names.encode("ISO-8859-1"))
    if frames is not None:
        (folder / "video2frames.txt").write_text(frames)
    return folder


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read(tmp_path: Path, format: Format) -> None:
    features = Features(store(tmp_path / "made", format))
    assert features.videos == tuple(clips())
    assert (features.width, features.rows) == (3, 12)
    assert features.making == making(format)
    for video, rows in clips().items():
        assert features.of(video).dtype == np.float32
        np.testing.assert_array_equal(features.of(video), rows)
        np.testing.assert_array_equal(features.edges(video), 0.5 * np.arange(len(rows) + 1))
    assert sorted(p.name for p in (tmp_path / "made").iterdir() if p.suffix == ".part") == []


def test_our_array_is_a_plain_npy_file(tmp_path: Path) -> None:
    folder = store(tmp_path / "made")
    everything = np.load(folder / DATA)
    np.testing.assert_array_equal(everything, np.concatenate(list(clips().values())))
    assert everything.dtype == np.float16


def test_official_files_alone_say_the_same_but_for_times(tmp_path: Path) -> None:
    """Read as hybrid_space does: by the four files, without our index."""
    folder = store(tmp_path / "made", "official")
    (folder / "index.json").unlink()
    for _ in range(2):
        features = Features(folder)
        for video, rows in clips().items():
            np.testing.assert_array_equal(features.of(video), rows)
            assert features.edges(video) is None
        (folder / "video2frames.txt").unlink(missing_ok=True)


def test_official_bytes_are_as_hybrid_space_reads_them(tmp_path: Path) -> None:
    """BigFile of hybrid_space, by its description: seek to the row, read `width` floats."""
    folder = store(tmp_path / "made", "official")
    names = (folder / "id.txt").read_bytes().strip().split()
    count, width = map(int, (folder / "shape.txt").read_text().split())
    assert len(names) == count
    content = (folder / "feature.bin").read_bytes()
    frames = eval((folder / "video2frames.txt").read_text())
    for video, rows in clips().items():
        for n, name in enumerate(frames[video]):
            at = names.index(name.encode("ISO-8859-1")) * width * 4
            found = np.frombuffer(content[at : at + 4 * width], "<f4")
            np.testing.assert_array_equal(found, rows[n])


def test_rows_follow_the_frames_listed_and_not_the_file(tmp_path: Path) -> None:
    rows = np.arange(8.0).reshape(4, 2)
    frames = "{'v_1': ['v_1_2', 'v_1_10'], 'é': ['é_0']}"
    folder = write_by_hand(tmp_path / "f", "v_1_10 é_0\nv_1_2\tv_1_3\r\n", rows, frames)
    features = Features(folder)
    np.testing.assert_array_equal(features.of("v_1"), rows[[2, 0]])
    np.testing.assert_array_equal(features.of("é"), rows[[1]])


def test_of_the_shape_the_first_line_counts_as_in_the_released_code(tmp_path: Path) -> None:
    rows = np.arange(8.0).reshape(4, 2)
    folder = write_by_hand(tmp_path / "f", "v_1 v_2 v_3 w_0", rows)
    (folder / "shape.txt").write_bytes(b"4 2\r\n9 9\r\n")
    np.testing.assert_array_equal(Features(folder).of("w"), rows[[3]])


def test_without_the_list_rows_are_ordered_by_number(tmp_path: Path) -> None:
    rows = np.arange(8.0).reshape(4, 2)
    features = Features(write_by_hand(tmp_path / "f", "v_1_10 w_0 v_1_2 v_1_003", rows))
    np.testing.assert_array_equal(features.of("v_1"), rows[[2, 3, 0]])
    assert features.videos == ("v_1", "w")


@given(st.dictionaries(st.text("ab_1", min_size=1), st.integers(1, 12), min_size=1), st.randoms())
def test_rebuilding_equals_the_slow_way(counts: dict[str, int], source: random.Random) -> None:
    names = [f"{video}_{n}" for video, count in counts.items() for n in range(count)]
    source.shuffle(names)
    found = rebuilt(names, Path("id.txt"))
    if len(set(names)) == len(names):
        for video, count in counts.items():
            assert [names[row] for row in found[video]] == [f"{video}_{n}" for n in range(count)]


def test_a_file_larger_than_memory_is_read_row_by_row(tmp_path: Path) -> None:
    """A terabyte of zeros that the disk does not hold, but for the row that is asked for."""
    folder, width = tmp_path / "f", 4096
    count = (1 << 40) // (4 * width)
    folder.mkdir()
    with (folder / "feature.bin").open("wb") as file:
        file.truncate(4 * count * width)
        file.seek(4 * (count - 1) * width)
        file.write(np.ones(width, "<f4").tobytes())
    (folder / "shape.txt").write_text(f"{count} {width}")
    (folder / "index.json").write_text(
        '{"making": {"width": 4096, "dtype": "float32"}, "videos": {"a": {"first": 0, "count": '
        f'{count - 1}}}, "b": {{"first": {count - 1}, "count": 1}}}}}}'
    )
    np.testing.assert_array_equal(Features(folder).of("b"), np.ones((1, width)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape.txt": "5 2"}, r"shape.txt says 5 x 2 float32, which are 40 bytes, but .* has 32"),
        ({"shape.txt": "4 x"}, r"shape.txt does not begin with a line of two.*'305462 4096'"),
        ({"id.txt": "v_1 v_2"}, r"id.txt names 2 rows and shape.txt says 4; copy or unpack"),
        ({"id.txt": "v_1 v_2 v_1 v_3"}, r"id.txt names v_1 twice; each row needs a name"),
        ({"id.txt": "v_1 v_2 x v_3"}, r"'x' does not end in an underscore.*video2frames.txt besi"),
        ({"video2frames.txt": "{'v': ['v_9']}"}, r"frame v_9 of v has no row.*id.txt.*delete"),
        ({"video2frames.txt": "{'v': []}"}, r"not a dict.*the frames of 'v' are \[\]"),
        ({"video2frames.txt": "[1]"}, r"not a dict.*holds a list.*delete it and it is rebuilt"),
        ({"video2frames.txt": "open('x', 'w')"}, r"not a dict.*malformed node"),
        ({"video2frames.txt": "(" * 5000}, r"not a dict.*delete it and it is rebuilt"),
        ({"video2frames.txt": b"{'\xff': ['v_1']}"}, r"cannot be read.*are the files feature.bin"),
    ],
)
def test_broken_official_files_are_named(
    tmp_path: Path, change: dict[str, str | bytes], message: str
) -> None:
    folder = write_by_hand(tmp_path / "f", "v_1 v_2 v_3 w_1", np.zeros((4, 2)))
    for name, text in change.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=message):
        Features(folder)


def test_nothing_in_the_frame_list_is_run(tmp_path: Path) -> None:
    witness = tmp_path / "run"
    frames = f"{{'v': [open({str(witness)!r}, 'w').name]}}"
    folder = write_by_hand(tmp_path / "f", "v_1", np.zeros((1, 2)), frames)
    with pytest.raises(DataError, match=r"not a dict"):
        Features(folder)
    assert not witness.exists()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("stop", range(4))
def test_a_writer_goes_on_where_it_was_killed(tmp_path: Path, format: Format, stop: int) -> None:
    """Killed between videos, in the middle of one's rows, and in the middle of the journal."""
    whole, folder = store(tmp_path / "whole", format), tmp_path / "killed"
    writer = FeatureWriter(folder, making(format), format).__enter__()
    for video, rows in list(clips().items())[:stop]:
        writer.append(video, rows, edges_of(rows))
    writer._file.write(b"half a row")
    writer._file.close()
    writer._lock.release()
    with (folder / ".journal.jsonl").open("ab") as file:
        file.write(b'["a/b.c", {"first": 5, "cou')
    with pytest.raises(DataError, match=r"being written, or was left unfinished.*same"):
        Features(folder)
    with FeatureWriter(folder, making(format), format) as again:
        assert list(again.videos) == list(clips())[:stop]
        for video, rows in clips().items():
            if video not in again.videos:
                again.append(video, rows, edges_of(rows))
    names = {p.name for p in whole.iterdir()}
    assert {p.name for p in folder.iterdir()} == names
    for name in names:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_second_kill_finds_what_came_after_the_first(tmp_path: Path) -> None:
    """Half a line that the first kill left in the journal must not swallow the next."""
    folder = tmp_path / "f"
    for video, rows in clips().items():
        with suppress(KeyboardInterrupt), FeatureWriter(folder, making()) as writer:
            writer.append(video, rows)
            raise KeyboardInterrupt
        with (folder / ".journal.jsonl").open("ab") as file:
            file.write(b'["x", {"first"')
    with FeatureWriter(folder, making()) as writer:
        assert list(writer.videos) == list(clips())
    for video, rows in clips().items():
        np.testing.assert_array_equal(Features(folder).of(video), rows)


@pytest.mark.parametrize("format", FORMATS)
def test_a_finished_folder_is_added_to(tmp_path: Path, format: Format) -> None:
    folder = store(tmp_path / "f", format)
    with FeatureWriter(folder, making(format), format) as writer:
        writer.append("more", np.ones((2, 3), np.float32), [0.0, 0.5, 1.0])
    features = Features(folder)
    np.testing.assert_array_equal(features.of("more"), np.ones((2, 3)))
    np.testing.assert_array_equal(features.of("cat"), clips()["cat"])
    assert features.rows == 14


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from reeltune.features.index import Making
from reeltune.features import writer as module
left = 0
def counted(real):
    def call(*given, **named):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return real(*given, **named)
    return call
for name in ("replace", "unlink"):
    setattr(Path, name, counted(getattr(Path, name)))
os.fsync = counted(os.fsync)
making = Making(width=3, dtype="float32")
def write():
    with module.FeatureWriter(Path(sys.argv[1]), making, "official") as writer:
        for n in range(3):
            if f"v{n}" not in writer.videos:
                writer.append(f"v{n}", np.full((n + 1, 3), n, np.float32))
for limit in map(int, sys.argv[2:]):
    child = os.fork()  # from a process that has the modules loaded, and no threads
    if not child:
        left = limit
        write()
        os._exit(0)
    end = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(end)
    if end == 0:
        break
"""


def test_killed_at_any_point_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """The process ends just before the n-th write to disk, then is started again, to the end."""
    program = tmp_path / "program.py"
    program.write_text(KILLED)
    folder, limits = tmp_path / "f", map(str, (1, 2, 3, 5, 7, 9, 11, 13, 15, 99))
    command = [sys.executable, str(program), str(folder), *limits]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    ends = ran.stdout.split()
    assert set(ends[:-1]) == {"9"}, ran.stderr
    assert ends[-1] == "0", ran.stderr
    assert len(ends) > 3
    features = Features(folder)
    assert features.videos == ("v0", "v1", "v2")
    for n in range(3):
        np.testing.assert_array_equal(features.of(f"v{n}"), np.full((n + 1, 3), n))


def test_what_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    rows = np.ones((2, 3), np.float32)
    with FeatureWriter(tmp_path / "f", making()) as writer:
        writer.append("v", rows)
        for video, features, times, message in [
            ("v", rows, None, r"has features of 'v' already; give each video a name of its own"),
            ("w", rows[:, :2], None, r"shape \(2, 2\).*one row or more of width 3"),
            ("w", rows[:0], None, r"shape \(0, 3\).*one row or more of width 3"),
            ("w", rows * np.nan, None, r"of w are not finite numbers in float16; leave"),
            ("w", rows * 1e6, None, r"not finite numbers in float16; leave.*or store float32"),
            ("w", rows, [0.0], r"w has 2 features and 1 edge; give the time at .* last one ends"),
            ("w", rows, [0.0, 2.0, 1.0], r"the times of w do not ascend; leave this video out"),
        ]:
            with np.errstate(over="ignore"), pytest.raises(DataError, match=message):
                writer.append(video, features, times)
        with (
            pytest.raises(DataError, match=r"another process writes features to .*wait for it"),
            FeatureWriter(tmp_path / "f", making()),
        ):
            pass
    assert Features(tmp_path / "f").videos == ("v",)


@pytest.mark.parametrize("video", ["two words", "", "tab\t", "日本"])
def test_the_official_format_refuses_ids_that_it_cannot_hold(tmp_path: Path, video: str) -> None:
    with (
        FeatureWriter(tmp_path / "f", making("official"), "official") as writer,
        pytest.raises(DataError, match=r"cannot be an id in id.txt.*ISO-8859-1.*our own format"),
    ):
        writer.append(video, np.ones((2, 3), np.float32))
    assert not (tmp_path / "f" / "feature.bin").exists()


def test_features_of_two_makings_are_never_mixed(tmp_path: Path) -> None:
    folder = store(tmp_path / "f")
    other = making().model_copy(update={"fingerprint": "g"})
    with (
        pytest.raises(DataError, match=r"whose fingerprint is 'f', not 'g'; give a new folder"),
        FeatureWriter(folder, other),
    ):
        pass
    assert Features(folder).videos == tuple(clips()), "a refusal leaves the folder as it was"
    with (
        pytest.raises(DataError, match=r"whose dtype is 'float16', not 'float32'; give a new"),
        FeatureWriter(folder, making("official")),
    ):
        pass
    with (
        pytest.raises(DataError, match=r"features.npy, features in the other format; give a new"),
        FeatureWriter(store(tmp_path / "own"), making("official"), "official"),
    ):
        pass
    with pytest.raises(DataError, match=r"official format are float32, not float16; ask"):
        FeatureWriter(folder, making(), "official")
    foreign = write_by_hand(tmp_path / "theirs", "v_1", np.zeros((1, 3)))
    with (
        pytest.raises(DataError, match=r"features that Reeltune did not make.*new folder"),
        FeatureWriter(foreign, making("official"), "official"),
    ):
        pass
    assert Features(foreign).videos == ("v",)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"making":{"width":3', '"making":{"width":"x"', "making.width: Input should be a valid"),
        ('"first":4,', "", "videos.dog_2.first: Field required"),
        ('"version":2', '"version":2,"by":"hand"', "by: there is none of that name"),
        ("}}}", "", "Invalid JSON: EOF while parsing an object at line "),
    ],
)
def test_a_damaged_index_is_named_with_its_fault_and_what_to_do(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    folder = store(tmp_path / "f")
    index = (folder / "index.json").read_text()
    assert index.count(old) == 1
    (folder / "index.json").write_text(index.replace(old, new))
    with pytest.raises(DataError) as refused:
        Features(folder)
    said = str(refused.value)
    assert said.startswith(f"{folder / 'index.json'} is not the index of stored features ({fault}")
    assert said.endswith("); make them again with `reeltune features`, or `reeltune convert s3d`")
    assert "\n" not in said


def test_files_that_do_not_fit_each_other_are_named(tmp_path: Path) -> None:
    folder = store(tmp_path / "f")
    index = (folder / "index.json").read_text()
    (folder / "index.json").write_text(index.replace('"first":4', '"first":5'))
    with pytest.raises(DataError, match=r"'dog_2' has 1 row from 5 .*begin at 4.*again"):
        Features(folder)
    (folder / "index.json").write_text(index.replace('"width":3', '"width":4'))
    with pytest.raises(DataError, match=r"tells of 12 x 4 features, and there are 12 x 3"):
        Features(folder)
    (folder / "index.json").write_text("{}")
    with pytest.raises(DataError, match=r"index.json is not the index.*reeltune features"):
        Features(folder)
    (folder / "index.json").write_text(index.replace('"version":2', '"version":1'))
    with pytest.raises(DataError, match=r"it is of version 1, which tells of rows by other times"):
        Features(folder)
    (folder / "index.json").write_text(index)
    np.save(folder / DATA, np.zeros((12, 3), np.int32))
    with pytest.raises(DataError, match=r"holds int32 of shape \(12, 3\); wanted are float16"):
        Features(folder)
    os.truncate(folder / DATA, 140)
    with pytest.raises(DataError, match=r"features.npy is not a whole array.*copy it again"):
        Features(folder)
    with pytest.raises(DataError, match=r"holds neither feature.bin nor features.npy.*reeltune fe"):
        Features(tmp_path)


def test_rows_that_are_not_numbers_are_named_when_read(tmp_path: Path) -> None:
    rows = np.ones((4, 2))
    rows[2, 1] = np.nan
    features = Features(write_by_hand(tmp_path / "f", "v_0 v_1 v_2 w_0", rows))
    assert features.of("w").shape == (1, 2)
    with pytest.raises(DataError, match=r"1 of 3 rows of v are not finite numbers, first row 2"):
        features.of("v")
    with pytest.raises(DataError, match=r"no features of 'x', only of 2 others such as 'v'"):
        features.of("x")


def pair(video: str, path: str, start: float = 0.0, end: float | None = None) -> Pair:
    return Pair(video=video, path=Path(path), caption="a cat", start=start, end=end)


def test_a_pair_is_found_by_its_id_or_its_path(tmp_path: Path) -> None:
    reader = FeatureReader(Features(store(tmp_path / "f", café=np.ones((1, 3), np.float32))))
    with reader:
        assert reader.id_of(pair("cat", "anywhere/video7.mp4")) == "cat"
        assert reader.id_of(pair("x/cat.mp4#t=1,2", "videos/x/cat.mp4")) == "cat"
        assert reader.id_of(pair("b.c.webm", "videos/a/b.c.webm")) == "a/b.c"
        assert reader.id_of(pair("café", "cafe\u0301.mp4")) == "café"
        with pytest.raises(DataError, match=r"no features of videos/cow.mp4 under any of .*cow"):
            reader.read(pair("cow", "videos/cow.mp4"))


@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [(0.0, None, range(7)), (0.6, None, range(1, 7)), (0.5, 1.5, [1, 2]), (1.1, 1.2, [2])],
)
def test_a_part_has_the_frames_that_are_shown_in_it(
    tmp_path: Path, start: float, end: float | None, rows: list[int]
) -> None:
    reader = FeatureReader(Features(store(tmp_path / "f")))
    found = reader.read(pair("a/b.c", "a/b.c", start, end))
    np.testing.assert_array_equal(found, clips()["a/b.c"][list(rows)])


def test_a_part_past_the_end_of_a_video_is_refused(tmp_path: Path) -> None:
    reader = FeatureReader(Features(store(tmp_path / "f")))
    assert len(reader.read(pair("cat", "cat", 1.9, 99.0))) == 1
    with pytest.raises(DataError, match=r"of cat up to 2 s, and asked .* from 2 s; correct the an"):
        reader.read(pair("cat", "cat", 2.0, 99.0))


def test_a_part_of_a_video_without_times_is_refused(tmp_path: Path) -> None:
    reader = FeatureReader(Features(write_by_hand(tmp_path / "f", "v_0", np.ones((1, 2)))))
    assert reader.read(pair("v", "v")).shape == (1, 2)
    with pytest.raises(DataError, match=r"does not know the times.*part of v from 3 s.*reeltune"):
        reader.read(pair("v", "v", 3.0, 4.0))


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=50)
def test_a_cap_takes_the_middles_of_equal_parts(count: int, cap: int) -> None:
    """Where all rows are as long."""
    chosen = slow_middles(count, cap)
    assert len(chosen) == min(count, cap)
    rows = shown_rows(np.arange(count + 1.0), Sampling("uniform", float(cap)))
    assert rows.tolist() == chosen


@given(
    st.lists(st.floats(0.01, 5.0), min_size=1, max_size=30),
    st.integers(1, 12),
    st.floats(0.0, 30.0),
    st.one_of(st.just(math.inf), st.floats(0.1, 30.0)),
)
def test_rows_are_taken_as_frames_are_that_come_at_their_times(
    steps: list[float], cap: int, start: float, length: float
) -> None:
    edges = np.cumsum([0.0, *steps])
    rule = Sampling("uniform", float(cap), start, start + length)
    video = [(float(time), False) for time in edges[:-1]]
    taken = edges[shown_rows(edges, rule)].tolist()
    assert taken == slow_choice(rule, video, float(edges[-1]))


def slow_middles(count: int, cap: int) -> list[int]:
    """Exact fractions: the frame that holds the middle of each part."""
    if count <= cap:
        return list(range(count))
    return [(2 * n + 1) * count // (2 * cap) for n in range(cap)]


def test_the_reader_keeps_to_its_cap(tmp_path: Path) -> None:
    features = Features(store(tmp_path / "f"))
    for cap in range(1, 9):
        found = FeatureReader(features, cap).read(pair("a/b.c", "a/b.c"))
        np.testing.assert_array_equal(found, clips()["a/b.c"][slow_middles(7, cap)])


@pytest.mark.parametrize(
    ("path", "name"),
    [("b/a.mp4", "b/a"), ("a.mov.mp4", "a"), ("a.b", "a.b"), ("a.JPG", "a"), ("v1.2.webm", "v1.2")],
)
def test_an_id_is_a_path_without_the_suffix_of_its_kind(path: str, name: str) -> None:
    assert as_id(Path(path)) == name
