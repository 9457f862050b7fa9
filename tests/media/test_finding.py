"""Every video of a folder is found, and what is not is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from media.numbered_video import Numbered
from reeltune.errors import ConfigError, DataError
from reeltune.media.files import Listing, Scope, find, said_of
from reeltune.media.names import SUFFIXES

TEXT = b"export const answer = 42;\n"
PACK = b"\0\0\x01\xba" + bytes(60)  # how an MPEG program stream begins


def put(folder: Path, *names: str, data: bytes = PACK) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def names(listing: Listing, folder: Path) -> list[str]:
    return [os.path.relpath(file.path, folder) for file in listing.files]


def found(folder: Path, **scope: object) -> list[str]:
    return names(find([str(folder)], Scope(**scope)), folder)  # type: ignore[arg-type]


def said(folder: Path, **scope: object) -> list[str]:
    return said_of(find([str(folder)], Scope(**scope)).passed_over)  # type: ignore[arg-type]


def test_one_path_may_be_given_alone_and_as_a_text_or_a_path(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4")
    expected = find([str(tmp_path)]).files
    assert len(expected) == 1
    for one in (str(tmp_path), tmp_path, [tmp_path]):
        assert find(one).files == expected
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=rf"there is no video in {tmp_path}/none; give a folder"):
        find(tmp_path / "none").required(tmp_path / "none")


def test_suffixes_of_cameras_discs_and_recorders_are_known(tmp_path: Path) -> None:
    wanted = ("vob", "m2t", "asf", "f4v", "mxf", "m2v", "divx", "dv", "ogm", "insv", "mod")
    wanted += ("tod", "m2ts", "3gp", "qt", "h264", "dvr-ms")
    put(tmp_path, *(f"a.{suffix.upper()}" for suffix in wanted), data=b"\x01\x02damaged")
    assert len(found(tmp_path)) == len(wanted)


@pytest.mark.parametrize("name", ["RECORDING", "a.dat", "film.xyz", "a.MP2T", "clip.mp4.bak"])
def test_a_video_of_unknown_name_is_known_by_its_first_bytes(
    name: str, tmp_path: Path, numbered: Numbered
) -> None:
    numbered(tmp_path / "a.mkv", range(0, 400, 40)).rename(tmp_path / name)
    put(tmp_path, "other.xyz", "OTHER", data=bytes(range(256)) * 20)
    assert found(tmp_path) == [name]


def test_sound_in_a_container_of_videos_is_not_taken_for_a_video(tmp_path: Path) -> None:
    import av
    import numpy as np

    for name, codec, format in (
        ("a.m4a", "aac", "ipod"),
        ("a.mka", "aac", "matroska"),
        ("a.opus.bak", "libopus", "ogg"),
        ("a.wma", "aac", "asf"),
        ("a.sound", "aac", "flv"),
    ):
        with av.open(str(tmp_path / name), "w", format=format) as container:
            stream = container.add_stream(codec, rate=48000, layout="stereo")
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 4800), np.float32), "fltp", "stereo")
            frame.sample_rate = 48000
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    assert found(tmp_path) == []


def test_names_that_other_programs_use_too_are_judged_by_content(tmp_path: Path) -> None:
    put(tmp_path, "page.ts", "page.mts", "go.mod", data=TEXT)
    put(tmp_path, "fortran.mod", data=b"\x1f\x8b\x08")
    put(tmp_path, "film.ts", "film.mts", "camera.mod")
    put(tmp_path, "broken.ts", data=bytes(5000))
    put(tmp_path, "empty.ts", data=b"")
    assert found(tmp_path) == ["broken.ts", "camera.mod", "empty.ts", "film.mts", "film.ts"]
    assert said(tmp_path) == ["4 other files were passed over: 2 .mod, 1 .mts, 1 .ts"]


def test_other_files_are_counted_by_kind(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.jpg", "sub/C.JPG", "notes.txt", "README", ".hidden.mp4")
    put(tmp_path, "README", data=TEXT)
    put(tmp_path, "film.mp4.part", "GX01.LRV")
    assert said(tmp_path) == [
        "7 other files were passed over: 2 .jpg, 1 hidden, 1 preview of a camera, 1 without a "
        "suffix, 1 unfinished download, 1 .txt"
    ]
    (jpg,) = [one for one in find([str(tmp_path)]).passed_over if one.reason == ".jpg"]
    assert (jpg.what, jpg.count, jpg.missing) == ("file", 2, False)
    assert jpg.names == (str(tmp_path / "b.jpg"), str(tmp_path / "sub/C.JPG"))


BINS = ("@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", ".Trash-1000", ".stversions")
BINS += ("System Volume Information", "@Recycle", ".git", "__MACOSX")


def test_bins_previews_and_hidden_folders_are_passed_over_unless_all_is_wanted(
    tmp_path: Path,
) -> None:
    put(tmp_path, "a.mp4", *(f"{name}/b.mp4/c.mp4" for name in BINS), ".d.mp4", "e.lrv")
    assert found(tmp_path) == ["a.mp4"]
    (files, folders) = said(tmp_path)
    assert files == "2 other files were passed over: 1 hidden, 1 preview of a camera"
    assert folders.startswith("10 other folders were passed over: 3 hidden, 1 ")
    everything = sorted(found(tmp_path, everything=True))
    assert everything == sorted([".d.mp4", "a.mp4", "e.lrv", *(f"{n}/b.mp4/c.mp4" for n in BINS)])
    assert found(tmp_path / "@eaDir") == ["b.mp4/c.mp4"], "a folder that is named is wanted"


def test_a_library_among_the_videos_is_not_told_of_file_by_file(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "lib/b.mp4", "lib/library.json", "lib/moments.lance/data/0.lance")
    assert found(tmp_path) == ["a.mp4", "lib/b.mp4"]
    assert said(tmp_path) == [
        "1 other file was passed over: 1 .json",
        "1 other folder was passed over: 1 table of a library",
    ]


def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    """In a process without the right to read everything, which tests may run with."""
    put(tmp_path, "v/a.mp4", "v/in/b.mp4")
    (tmp_path / "v" / "in").chmod(0)
    (tmp_path / "v").chmod(0o755)
    program = (
        "import os, sys; from reeltune.media.files import find; root = sys.argv[1]\n"
        "if os.getuid() == 0: os.chroot(root); os.setuid(65534); root = ''\n"
        "there = find([f'{root}/v'])\n"
        "print(len(there.files), [(path[len(root):], why) for path, why in there.faults.items()])"
    )
    tmp_path.chmod(0o755)
    ran = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True)
    (tmp_path / "v" / "in").chmod(0o755)
    assert ran.stdout == "1 [('/v/in', 'may not be read: Permission denied')]\n", ran.stderr


def test_a_folder_without_a_video_is_said(tmp_path: Path) -> None:
    put(tmp_path, "full/a.mp4", "papers/notes.txt", "papers/x.pdf")
    listing = find([str(tmp_path / "full"), str(tmp_path / "papers")])
    assert listing.faults == {str(tmp_path / "papers"): "holds no video"}
    paths = [str(tmp_path / "papers")]
    with pytest.raises(
        DataError,
        match=r"there is no video in .*papers \(2 other files were passed over: 1 \.txt, 1 \.pdf\)"
        r"; give a folder of videos$",
    ):
        find(paths).required(paths)


def test_an_empty_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a.mp4")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"a path is empty, as that of a variable without a"):
        find([""])


def test_no_path_at_all_and_a_path_that_no_system_takes_are_refused() -> None:
    with pytest.raises(DataError, match=r"^got no path; give a video or a folder of videos$"):
        find([]).required([])
    with pytest.raises(
        ConfigError, match=r"^the path 'a\\x00b' has a zero byte, which no name has"
    ):
        find(["a\0b"])


def test_globs_exclude_files_and_folders_in_the_way_of_gitignore(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.mov", "private/c.mp4", "x/private/d.mp4", "x/e.mov", "keep.mov")
    assert found(tmp_path, exclude=("*.mov", "!keep.mov", "/private/")) == [
        *("a.mp4", "keep.mov", "x/private/d.mp4"),
    ]
    listing = find([str(tmp_path)], Scope(exclude=("*.mov", "private")))
    assert names(listing, tmp_path) == ["a.mp4"]
    assert said_of(listing.passed_over) == [
        "3 other files were passed over: 3 excluded",
        "2 other folders were passed over: 2 excluded",
    ]
    places = ("b.mov", "keep.mov", "private", "x/e.mov", "x/private")
    assert sorted(listing.excluded) == [os.path.realpath(tmp_path / place) for place in places]
    named = [str(tmp_path), str(tmp_path / "b.mov")]
    assert "b.mov" in names(find(named, Scope(exclude=("*.mov",))), tmp_path), "it was named"


def test_an_ignore_file_holds_for_its_folder_and_below(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.gif", "x/c.mp4", "x/d.gif", "x/y/c.mp4", "z/c.mp4")
    (tmp_path / ".reeltuneignore").write_bytes(b"\xef\xbb\xbf# no loops\r\n*.gif\r\n")
    (tmp_path / "x" / ".reeltuneignore").write_text("!d.gif\n/c.mp4\n")
    assert found(tmp_path) == ["a.mp4", "x/d.gif", "x/y/c.mp4", "z/c.mp4"]
    assert found(tmp_path, exclude=("d.gif",)) == ["a.mp4", "x/y/c.mp4", "z/c.mp4"]


def test_an_ignore_file_that_cannot_be_read_closes_its_folder(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "x/b.mp4", "y/b.mp4", "pipe/b.mp4", "long/b.mp4")
    (tmp_path / "x" / ".reeltuneignore").mkdir()
    os.mkfifo(tmp_path / "pipe" / ".reeltuneignore")
    (tmp_path / "long" / ".reeltuneignore").write_bytes(b"a\n" * (1 << 20))
    (tmp_path / "y" / ".reeltuneignore").write_text("fine\n!\n")
    listing = find([str(tmp_path)])
    assert names(listing, tmp_path) == ["a.mp4"]
    why = "is passed over, as its .reeltuneignore cannot be read: "
    assert listing.faults == {
        f"{tmp_path}/x": f"{why}Is a directory",
        f"{tmp_path}/pipe": f"{why}it is not a regular file",
        f"{tmp_path}/long": f"{why}it has more than 65,536 bytes",
        f"{tmp_path}/y": f"{why}{tmp_path}/y/.reeltuneignore has '!', which is no pattern, or "
        "one with too many wildcards; write one as in .gitignore, such as 'private/' or '*.gif'",
    }


def test_an_ignore_file_of_notepad_excludes_what_it_names(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "private/b.mp4", "x/c.mp4")
    (tmp_path / ".reeltuneignore").write_bytes("private/\r\n".encode("utf-16"))
    (tmp_path / "x" / ".reeltuneignore").write_bytes("*.gif".encode("utf-16-le"))
    listing = find([str(tmp_path)])
    assert names(listing, tmp_path) == ["a.mp4"]
    assert "holds no text (it has bytes of zero" in listing.faults[str(tmp_path / "x")]


@pytest.mark.parametrize("pattern", ["!", "\\", "[z-a]", "**/a/**/b/**/c", "*[!a]*[!b]*[!c]*"])
def test_a_glob_that_is_none_is_named(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--exclude has '.+', which is no pattern, or one with"):
        find([str(tmp_path)], Scope(exclude=("*.gif", pattern)))


PARTS = st.lists(st.sampled_from(["a", "b", "private", "x.mov"]), min_size=1, max_size=3)
PATTERNS = st.lists(st.sampled_from(["a/", "*.mov", "!x.mov", "/b", "**/private", "a/b", "!a/"]))


@given(files=st.lists(PARTS, min_size=1, max_size=6), globs=PATTERNS)
def test_folders_that_are_pruned_lose_exactly_what_the_patterns_exclude(
    files: list[list[str]], globs: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The walk against the slow way: every folder above a file, and the file, asked in turn."""
    folder = tmp_path_factory.mktemp("v")
    paths = {"/".join(parts) + "/f.mp4" for parts in files}
    put(folder, *paths)
    spec = GitIgnoreSpec.from_lines(globs)

    def is_out(path: str) -> bool:
        parts = path.split("/")
        above = ["/".join(parts[:n]) + "/" for n in range(1, len(parts))]
        return any(spec.check_file(place).include for place in [*above, path])

    assert set(found(folder, exclude=tuple(globs))) == {p for p in paths if not is_out(p)}


def test_special_files_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    put(tmp_path, "a.mp4")
    assert found(tmp_path) == ["a.mp4"]


def test_every_suffix_begins_with_a_dot_and_is_in_small_letters() -> None:
    assert all(name == name.lower() and name.startswith(".") for name in SUFFIXES)
