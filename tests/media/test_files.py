"""Which files are taken, and how their content is named."""

import os
from pathlib import Path

import pytest

from reeltune.errors import DataError, MediaError
from reeltune.media.files import find
from reeltune.storage.content import content_hash, known_hash


def test_a_folder_gives_its_videos_in_order_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.MP4", "a.webm", "notes.txt", ".hidden.mp4", "sub/c.mkv", ".git/d.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = [Path(c.path).relative_to(tmp_path).as_posix() for c in find([str(tmp_path)]).files]
    assert found == ["a.webm", "b.MP4", "sub/c.mkv"]


def test_paths_are_kept_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    (found,) = find(["clips"]).files
    assert found.path == os.path.join("clips", "a.mp4")
    assert found.location == os.path.realpath(tmp_path / "clips" / "a.mp4")


def test_a_file_given_twice_or_through_a_link_counts_once(tmp_path: Path) -> None:
    file, link = tmp_path / "a.mp4", tmp_path / "link.mp4"
    file.write_bytes(b"x")
    link.symlink_to(file)
    assert len(find([str(file), str(tmp_path), str(link)]).files) == 1


def test_a_named_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "video.bin").write_bytes(b"x")
    assert len(find([str(tmp_path / "video.bin")]).files) == 1


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not there; give a video or a folder"):
        find([str(tmp_path / "nowhere")])


def test_the_content_names_a_file_whatever_its_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "b").write_bytes(b"same")
    (tmp_path / "c").write_bytes(b"other")
    a, b, c = (content_hash(str(tmp_path / name)) for name in "abc")
    assert a == b != c
    assert len(a) == 32


def test_a_named_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(DataError, match=r"pipe\.mp4: cannot be read: it is not a regular file$"):
        content_hash(str(tmp_path / "pipe.mp4"))


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.mp4: cannot be read: No such file"):
        content_hash(str(tmp_path / "gone.mp4"))


def test_a_file_is_hashed_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"first")
    os.utime(path, ns=(0, 0))
    first = known_hash(path)
    path.write_bytes(b"other")
    os.utime(path, ns=(0, 0))
    assert known_hash(path) == first, "nothing said that it changed, so it was not read again"
    os.utime(path, ns=(0, 1))
    assert known_hash(path) == content_hash(str(path)) != first
    with pytest.raises(MediaError, match=r"gone\.mp4: cannot be read: No such file"):
        known_hash(tmp_path / "gone.mp4")


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell writes it out, and a program does not."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "Videos").mkdir()
    (tmp_path / "Videos" / "a.mp4").touch()
    assert [found.path for found in find(["~/Videos"]).files] == [str(tmp_path / "Videos/a.mp4")]
