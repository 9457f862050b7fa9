"""A library as programs use it: made, filled, looked through, searched and checked."""

import io
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import reeltune
from reeltune.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    LibraryError,
    MediaError,
)
from reeltune.media.files import merged_patterns
from reeltune.media.progress import Silent
from reeltune.search import _by_torch
from reeltune.search import encoder as _encoder
from reeltune.search.library import Library
from reeltune.search.store import table as _table
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.nearest import vectors_of
from reeltune.types import Moment

Clip = Callable[..., Path]
NAMES = ["green.mp4", "red.mp4", "two.mp4"]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, model: str, clip: Clip) -> Library:
    """A library of the three clips of `videos`, four moments; not to be changed."""
    folder = tmp_path_factory.mktemp("full")
    videos = folder / "videos"
    clip(videos / "red.mp4", (200, 20, 20))
    clip(videos / "green.mp4", (20, 200, 20))
    clip(videos / "two.mp4", (20, 20, 200), (200, 200, 20), seconds=5)
    library = Library.create(folder / "library", model)
    assert library.index(videos).exit_code == 0
    return library


@pytest.fixture
def copy(full: Library, tmp_path: Path) -> Library:
    """A library of the same clips, to be changed."""
    return Library(shutil.copytree(full.folder, tmp_path / "copy"))


def names(found: Iterable[Any]) -> list[str]:
    """Names of files, of records that have a path, or of paths."""
    return [Path(getattr(one, "path", one)).name for one in found]


def test_a_new_library_is_empty_and_is_filled_as_by_the_function(
    full: Library, videos: Path, model: str, tmp_path: Path
) -> None:
    empty = Library.create(tmp_path / "made", model, sampling="fps 1")
    assert (empty.manifest.model, empty.manifest.sampling) == (model, "fps 1 as shown")
    assert (empty.files(), list(empty.moments()), empty.search("red")) == ([], [], [])
    assert empty.verify().faults == []
    assert empty.remove([]) == []
    report = reeltune.index(videos, tmp_path / "by function", reeltune.Choice(model=model))
    assert sorted(names(report.indexed)) == NAMES
    made, other = ([*one.moments(vectors=True)] for one in (full, Library(report.library)))
    assert [moment.id for moment in made] == [moment.id for moment in other]
    for one, same in zip(made, other, strict=True):
        np.testing.assert_allclose(one.vector, same.vector, atol=1e-6)


def test_a_pattern_alone_is_one_pattern_and_not_its_letters() -> None:
    assert merged_patterns(["*.gif"], "private/") == ("*.gif", "private/")


def test_a_library_is_not_made_twice_nor_where_it_cannot_be(
    full: Library, tmp_path: Path, model: str
) -> None:
    with pytest.raises(LibraryError, match=r"is a library already; open it with reeltune.Library"):
        Library.create(full.folder, model)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file is a file, and .*file is to be a folder; give"):
        Library.create(tmp_path / "file", model)
    with pytest.raises(CheckpointError, match="no model 'nothing here'"):
        Library.create(tmp_path / "new", "nothing here")
    with pytest.raises(ConfigError, match="sampling"):
        Library.create(tmp_path / "new", model, sampling="sometimes")
    assert not (tmp_path / "new").exists()


def test_a_tilde_is_the_home_of_the_user(
    full: Library, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(full.folder.parent))
    assert len(Library("~/library").files()) == 3
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Library.create("~/made", model).folder == tmp_path / "made"


def test_one_video_or_several_are_added_and_removed_by_any_kind_of_path(
    copy: Library, videos: Path, clip: Clip
) -> None:
    clip(videos / "white.mp4", (250, 250, 250), seconds=1)
    clip(videos / "grey.mov", (90, 90, 90), seconds=1)
    assert names(copy.add(str(videos / "white.mp4")).indexed) == ["white.mp4"]
    report = copy.add([videos / "grey.mov", videos / "white.mp4"])
    assert (names(report.indexed), len(report.unchanged)) == (["grey.mov"], 1)
    assert copy.remove(videos / "white.mp4") == [str(videos / "white.mp4")]
    assert copy.remove(str(videos)) == [str(videos / "grey.mov")]
    assert names(copy.files()) == NAMES
    with pytest.raises(LibraryError, match=r"has no file .*white\.mp4, and none below it; see its"):
        copy.remove(videos / "white.mp4")
    with pytest.raises(ConfigError, match="a path is empty, as that of a variable without a value"):
        copy.remove("")
    ways: list[Callable[[str], object]] = [
        *(copy.add, copy.remove, Library.create, lambda path: copy.search(image=path)),
        *(lambda path: copy.search(video=path), lambda path: reeltune.index(videos, path)),
    ]
    for way in ways:
        with pytest.raises(
            ConfigError, match=r"^the path 'a\\x00b' has a zero byte, which no name"
        ):
            way("a\0b")


def test_what_is_added_must_be_a_video_and_what_is_beside_it_is_stored(
    copy: Library, videos: Path, clip: Clip
) -> None:
    with pytest.raises(DataError, match=r"videos is a folder; bring in the videos below it by `in"):
        copy.add(videos)
    with pytest.raises(DataError, match="none is not there; give a video"):
        copy.add(videos / "none")
    clip(videos / "white.mp4", (250, 250, 250), seconds=1)
    (videos / "bad.mp4").write_bytes(b"this is no video")
    with pytest.raises(MediaError, match=r"bad\.mp4: ") as caught:
        copy.add([videos / "bad.mp4", videos / "white.mp4"])
    assert caught.value.path == str(videos / "bad.mp4")
    assert sorted(names(copy.files())) == [*NAMES, "white.mp4"]


def test_a_run_takes_every_option_of_the_command(
    videos: Path, model: str, clip: Clip, tmp_path: Path
) -> None:
    class Writer:
        fingerprint = "of a writer"

        def parts(self, path: Path, spans: Sequence[tuple[float, float]]) -> list[str]:
            return [f"{path.stem} from {start:g} to {end:g}" for start, end in spans]

    library = Library.create(tmp_path / "made", model)
    clip(videos / ".hidden.mp4", (250, 250, 250), seconds=1)
    outside = clip(tmp_path / "elsewhere" / "grey.mp4", (90, 90, 90), seconds=1)
    (videos / "link.mp4").symlink_to(outside)
    library.index(videos, exclude="two.mp4", everything=True, follow=True, caption=Writer())
    assert names(library.files()) == [".hidden.mp4", "green.mp4", "link.mp4", "red.mp4"]
    (linked,) = library.moments("caption = 'grey from 0 to 1'")
    assert (Path(linked.path).name, linked.location) == ("link.mp4", str(outside))
    assert linked.caption == "grey from 0 to 1"
    (videos / "red.mp4").unlink()
    assert names(library.index(videos, prune="gone").removed) == ["red.mp4"]
    assert names(library.files()) == [".hidden.mp4", "green.mp4", "link.mp4"]


def test_a_run_tells_how_far_it_is(copy: Library, videos: Path, clip: Clip) -> None:
    told: list[tuple[str, int]] = []

    class Told(Silent):
        def begin(self, files: int, size: int, work: str = "") -> None:
            told.append(("begin", size))

        def advance(self, path: str, size: int) -> None:
            told.append((Path(path).name, size))

    white = clip(videos / "white.mp4", (250, 250, 250), seconds=1)
    copy.index([white], progress=Told())
    size = white.stat().st_size
    assert told[0] == ("begin", size)
    assert {name for name, _ in told[1:]} == {"white.mp4"}
    assert sum(size for _, size in told[1:]) == size


def test_moments_are_those_of_the_table_in_the_order_of_paths_and_time(copy: Library) -> None:
    copy.remove(copy.files()[1].path)  # so that places in the table and numbers of rows differ
    rows = _table.open_table(copy.folder).to_table()
    expected = dict(zip(rows["id"].to_pylist(), vectors_of(rows), strict=True))
    moments = list(copy.moments(vectors=True))
    times = [(Path(m.path).name, m.start, m.end, m.duration) for m in moments]
    assert times == [
        ("green.mp4", 0.0, 2.0, 2.0),
        ("two.mp4", 0.0, 5.0, 10.0),
        ("two.mp4", 5.0, 10.0, 10.0),
    ]
    for moment in moments:
        assert (moment.vector.dtype, moment.vector.shape) == (np.float32, (copy.manifest.dim,))
        np.testing.assert_array_equal(moment.vector, expected[moment.id])
        file = next(file for file in copy.files() if file.path == moment.path)
        assert (moment.location, moment.date) == (file.location, file.modified)
    plain = list(copy.moments())
    assert [type(moment) for moment in plain] == [Moment] * 3
    assert [moment.id for moment in plain] == [moment.id for moment in moments]


def test_many_moments_are_read_some_at_a_time(
    full: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list(full.moments(vectors=True))
    monkeypatch.setattr("reeltune.search.moments.AT_ONCE", 3)
    assert list(full.moments(vectors=True)) == whole
    assert list(full.moments()) == list(map(_without_vector, whole))
    for one, same in zip(full.moments(vectors=True), whole, strict=True):
        np.testing.assert_array_equal(one.vector, same.vector)


def _without_vector(moment: Any) -> Moment:
    return Moment(**{name: value for name, value in vars(moment).items() if name != "vector"})


def test_moments_are_filtered_and_a_wrong_filter_is_refused_before_the_first(
    full: Library,
) -> None:
    two = list(full.moments("start > 1 and path like '%two%'", vectors=True))
    assert [(Path(moment.path).name, moment.start) for moment in two] == [("two.mp4", 5.0)]
    assert list(full.moments("duration > 60")) == []
    with pytest.raises(ConfigError, match="names 'colour', which is no column; columns are path"):
        full.moments("colour = 'red'")


def test_what_another_process_writes_is_seen_by_the_next_call_and_not_by_an_iteration(
    copy: Library,
) -> None:
    assert len(copy.search("red", fold=False)) == 4
    moments, plain = copy.moments(vectors=True), copy.moments()
    first = next(moments)
    below = str(Path(copy.files()[0].location).parent)
    command = [sys.executable, "-m", "reeltune", "library", "remove", below, "-l", str(copy.folder)]
    subprocess.run(command, check=True, capture_output=True)
    assert len([first, *moments]) == len(list(plain)) == 4
    assert (list(copy.moments()), copy.files(), copy.search("red")) == ([], [], [])


def test_scores_are_inner_products_of_what_is_embedded(full: Library) -> None:
    moments = list(full.moments(vectors=True))
    (vector,) = full.embed_text("something blue")
    expected = {moment.id: float(moment.vector @ vector) for moment in moments}
    found = {hit.id: hit.score for hit in full.search("something blue", fold=False)}
    assert found == pytest.approx(expected, abs=1e-6)


def test_texts_are_embedded_as_the_model_does(
    full: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = full.model
    texts = ["a dog", "a cat on a mat", "rain"]
    monkeypatch.setattr(_by_torch, "AT_ONCE", 2)
    vectors = full.embed_text(texts)
    assert (vectors.dtype, vectors.shape) == (np.float32, (3, model.dim))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    with torch.inference_mode():
        expected = model.encode_text(model.tokenize(texts)).numpy()
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    np.testing.assert_allclose(full.embed_text("rain"), expected[2:], atol=1e-5)
    assert full.embed_text([]).shape == (0, model.dim)
    with pytest.raises(ConfigError, match="is empty; describe what should be seen"):
        full.embed_text(["a dog", " "])
    with pytest.raises(ConfigError, match=r"'caf\\udce9' is not UTF-8"):
        full.embed_text("caf\udce9")


def test_frames_in_memory_are_embedded_as_those_of_a_file(full: Library, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 40, 70, 3), np.uint8)
    Image.fromarray(noise[0]).save(tmp_path / "noise.png")
    vector = full.embed_frames(noise[:1])
    assert (vector.dtype, vector.shape) == (np.float32, (full.model.dim,))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    scores = {moment.id: float(moment.vector @ vector) for moment in full.moments(vectors=True)}
    for hit in full.search(image=tmp_path / "noise.png", fold=False):
        assert hit.score == pytest.approx(scores[hit.id], abs=1e-6)
    assert full.embed_frames(noise) @ vector < 0.9999, "all frames count"


@pytest.mark.parametrize(
    ("frames", "got"),
    [
        (np.zeros((4, 4, 3), np.uint8), r"uint8 \(4, 4, 3\)"),
        (np.zeros((1, 3, 4, 4), np.uint8), r"uint8 \(1, 3, 4, 4\)"),
        (np.zeros((1, 4, 4, 3)), r"float64 \(1, 4, 4, 3\)"),
        (np.zeros((0, 4, 4, 3), np.uint8), r"uint8 \(0, 4, 4, 3\)"),
    ],
)
def test_other_arrays_are_refused_with_what_is_wanted(
    full: Library, frames: np.ndarray, got: str
) -> None:
    with pytest.raises(DataError, match=rf"frames are {got}; give uint8 \(T, H, W, 3\): one frame"):
        full.embed_frames(frames)


def test_thumbnails_are_small_pictures_by_id(full: Library) -> None:
    ids = [moment.id for moment in full.moments()]
    pictures = full.thumbnails([*ids, "none"])
    assert sorted(pictures) == sorted(ids)
    for jpeg in pictures.values():
        with Image.open(io.BytesIO(jpeg)) as picture:
            assert (picture.format, picture.size) == ("JPEG", (64, 48))
    assert full.thumbnails(ids[0]) == {ids[0]: pictures[ids[0]]}
    assert full.thumbnails([]) == {}


def test_many_threads_may_use_one_library_from_its_first_call_on(
    full: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [f"{colour} thing {n * 'long ' * 60}" for n in range(2) for colour in ("red", "blue")]
    filters = ["duration > 3", None]
    alone = Library(full.folder)  # which reads words as the shared one does, without torch
    expected = [alone.search(query, where=where) for query in queries for where in filters]
    opened, tower_of = [], _encoder._tower_of
    monkeypatch.setattr(_encoder, "_tower_of", lambda *a: opened.append(a) or tower_of(*a))
    shared, begin = Library(full.folder), threading.Barrier(8)

    def ask(_: int) -> list[Any]:
        begin.wait()
        return [shared.search(query, where=where) for query in queries for where in filters]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [expected] * 8
    assert len(opened) == 1


def test_a_library_is_searched_while_another_thread_writes_to_it(
    copy: Library, videos: Path, clip: Clip
) -> None:
    clip(videos / "white.mp4", (250, 250, 250), seconds=1)
    before = names(copy.search("a thing", k=9))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(copy.index, [videos / "white.mp4"])
        seen = [names(copy.search("a thing", k=9)) for _ in iter(run.done, True)]
        run.result()
    after = names(copy.search("a thing", k=9))
    assert {*after} - {*before} == {"white.mp4"}
    assert all(found in (before, after) for found in seen)


def test_one_writes_at_a_time_and_the_other_is_told_at_once(copy: Library, videos: Path) -> None:
    with sole_writer(copy.folder):
        for write in (copy.index, copy.remove):
            with pytest.raises(LibraryError, match=r"is being written by process \d+ on .*; wait"):
                write(str(videos))
        assert len(copy.search("red", fold=False)) == 4, "readers are not blocked"


def test_a_library_that_was_made_anew_is_not_taken_for_the_one_that_was_opened(
    copy: Library, model: str
) -> None:
    copy.search("red")
    version = _table.open_table(copy.folder).version
    shutil.rmtree(copy.folder)
    again = Library.create(copy.folder, model)
    while _table.open_table(again.folder).version < version:
        _table.remove(again.folder, ["none"])  # a commit
    assert _table.open_table(again.folder).version == version
    assert copy.search("red") == again.search("red") == []
    shutil.rmtree(copy.folder)
    Library.create(copy.folder, model, sampling="fps 1")
    for call in (lambda: copy.search("red"), copy.moments, lambda: copy.thumbnails(["a"])):
        with pytest.raises(LibraryError, match=r"made anew since it was opened, .*; open it again"):
            call()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prune": "All"}, r"prune is 'All'; give gone or all, or None to keep all"),
        ({"engine": "Ray"}, r"engine is 'Ray'; give local or ray"),
        ({"settled": float("nan")}, r"settled is nan; give seconds, from 0 on"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(
    copy: Library, videos: Path, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        copy.index(videos, **wrong)


def test_an_empty_name_of_a_model_is_not_the_usual_model(copy: Library, tmp_path: Path) -> None:
    for ask in (lambda: copy.reindex(""), lambda: Library.create(tmp_path / "new", "")):
        with pytest.raises(ConfigError, match="the model's name is empty"):
            ask()
    assert not (tmp_path / "new").exists()


def test_paths_that_come_one_by_one_are_all_added(copy: Library, videos: Path) -> None:
    report = copy.add(path for path in videos.iterdir())  # type: ignore[arg-type]
    assert len(report.indexed) + len(report.copies) + len(report.unchanged) == 3
