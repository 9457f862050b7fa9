"""Links in folders: what lies outside is read only if that is asked for, and each is counted."""

import os
from pathlib import Path

import pytest

from reeltune.errors import DataError
from reeltune.media.files import Scope, find, said_of

PACK = b"\0\0\x01\xba" + bytes(60)  # how an MPEG program stream begins
OUT = "out of the folder (followed with --follow)"
ANYWAY = "to a folder that is looked at where it lies"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of one video, beside one that is not given."""
    for name in ("v/a.mp4", "elsewhere/b.mp4", "elsewhere/deep/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(PACK)
    return tmp_path / "v"


def look(*roots: Path, follow: bool = False) -> tuple[list[str], list[str], dict[str, str]]:
    """Paths of the files that are found, what is said, and the faults, from the first root."""
    listing = find([str(root) for root in roots], Scope(follow=follow))
    files = [os.path.relpath(file.path, roots[0]) for file in listing.files]
    faults = {os.path.relpath(path, roots[0]): why for path, why in listing.faults.items()}
    return files, said_of(listing.passed_over), faults


def test_links_that_lead_out_are_followed_only_if_that_is_asked_for(videos: Path) -> None:
    (videos / "file.mp4").symlink_to("../elsewhere/b.mp4")
    (videos / "folder").symlink_to(videos.parent / "elsewhere" / "deep")
    (videos / "RECORDING").symlink_to("../elsewhere/b.mp4")
    (videos / "notes.txt").symlink_to("../elsewhere/b.mp4")
    said = ["1 other file was passed over: 1 .txt", f"3 links were passed over: 3 {OUT}"]
    assert look(videos) == (["a.mp4"], said, {})
    files = ["RECORDING", "a.mp4", "folder/c.mp4"]  # file.mp4 is the same place as RECORDING
    assert look(videos, follow=True) == (files, said[:1], {})


def test_a_file_that_a_link_leads_to_has_its_own_place(videos: Path) -> None:
    (videos / "file.mp4").symlink_to("../elsewhere/b.mp4")
    found = {file.path: file.location for file in find([str(videos)], Scope(follow=True)).files}
    assert found[str(videos / "file.mp4")] == os.path.realpath(videos.parent / "elsewhere/b.mp4")


def test_a_folder_excludes_nothing_outside_of_it(videos: Path) -> None:
    """Or a folder of a stranger would take videos out of the library of others."""
    (videos / ".reeltuneignore").write_text("out*\n")
    (videos / "out").symlink_to("../elsewhere")
    (videos / "out.mp4").symlink_to("../elsewhere/b.mp4")
    assert find([str(videos)]).excluded == []
    places = [os.path.realpath(videos.parent / place) for place in ("elsewhere", "elsewhere/b.mp4")]
    assert find([str(videos)], Scope(follow=True)).excluded == places


def test_links_within_what_is_given_need_no_asking(videos: Path) -> None:
    (videos / "again.mp4").symlink_to("a.mp4")
    (videos / "loose.mp4").symlink_to("../elsewhere/b.mp4")
    (videos / "sub").mkdir()
    (videos / "sub" / "up").symlink_to("..")
    (videos / "out").symlink_to("../elsewhere")
    said = [f"2 links were passed over: 2 {ANYWAY}"]
    files = ["a.mp4", "loose.mp4", "../elsewhere/deep/c.mp4"]
    assert look(videos, videos.parent / "elsewhere") == (files, said, {})


def test_paths_that_are_given_may_be_links(videos: Path) -> None:
    (videos.parent / "w").symlink_to(videos)
    (videos.parent / "b.mp4").symlink_to("elsewhere/b.mp4")
    assert look(videos.parent / "w", videos.parent / "b.mp4")[0] == ["a.mp4", "../b.mp4"]


@pytest.mark.parametrize("follow", [False, True])
def test_links_that_lead_nowhere_and_loops_are_said(videos: Path, follow: bool) -> None:
    (videos / "gone.mp4").symlink_to("nothing.mp4")
    (videos / "round.mp4").symlink_to("round.mp4")
    (videos / "self").symlink_to(".")
    (videos / "lost.mp4").symlink_to("../nothing.mp4")
    nowhere = "is a link that leads nowhere: "
    faults = {
        "gone.mp4": f"{nowhere}No such file or directory",
        "round.mp4": f"{nowhere}Too many levels of symbolic links",
    }
    kinds = f"1 {ANYWAY}" if follow else f"1 {ANYWAY}, 1 {OUT}"
    if follow:
        faults["lost.mp4"] = faults["gone.mp4"]
    files, (said,), found = look(videos, follow=follow)
    assert (files, found) == (["a.mp4"], faults)
    assert said == f"{'1 link was' if follow else '2 links were'} passed over: {kinds}"


def test_loops_over_links_that_are_followed_end(videos: Path) -> None:
    """A folder that is met by two ways is searched once, by the first."""
    (videos / "up").symlink_to("..")
    (videos.parent / "elsewhere" / "back").symlink_to(videos)
    (videos.parent / "elsewhere" / "round").symlink_to(".")
    (videos / "x").symlink_to("../elsewhere/deep")
    files, said, faults = look(videos, follow=True)
    assert (files, faults) == (["a.mp4", "up/elsewhere/b.mp4", "x/c.mp4"], {})
    assert said == [f"2 links were passed over: 2 {ANYWAY}"]


def test_a_folder_that_holds_only_links_says_how_they_are_followed(videos: Path) -> None:
    only = videos.parent / "only"
    only.mkdir()
    (only / "a.mp4").symlink_to(videos / "a.mp4")
    with pytest.raises(
        DataError, match=r"no video in .*\(1 link was passed over: 1 .*--follow\)\)"
    ):
        find([str(only)]).required([str(only)])
