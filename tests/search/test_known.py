"""Verdicts on files, one by one, and what they say together."""

from pathlib import Path

import pytest

from reeltune.errors import DataError
from reeltune.media.files import Candidate, find
from reeltune.search._known import ODD_TIME, Known, Stored, Verdict
from reeltune.storage.content import content_hash


def content(file: Candidate) -> str:
    return content_hash(file.location)


def write(folder: Path, **texts: str) -> list[Candidate]:
    for name, text in texts.items():
        (folder / f"{name}.mp4").write_text(text)
    return sorted(find([str(folder)]).files, key=lambda file: file.path)


def stored(files: list[Candidate]) -> list[Stored]:
    return [one for file in files for one in stored_as(content(file), file)]


def stored_as(video: str, file: Candidate) -> list[Stored]:
    return [Stored(video, file.path, file.location, file.size, file.modified_ns)]


def judge(known: Known, files: list[Candidate]) -> dict[str, tuple[Verdict, bool]]:
    """By the file's name: the verdict, and whether it waits for the others."""
    found = [known.judge(file, content) for file in files]
    return {Path(one.file.path).stem: (one.verdict, one.contested) for one in found}


def test_a_new_file_waits_for_the_others_only_where_another_content_stood(tmp_path: Path) -> None:
    known = Known(stored(write(tmp_path, a="red")))
    files = write(tmp_path, a="green", b="yellow")
    assert judge(known, files) == {"a": (Verdict.NEW, True), "b": (Verdict.NEW, False)}
    assert known.displaced(content) == list(known.by_video)


def test_swapped_files_are_moved_and_wait_for_each_other(tmp_path: Path) -> None:
    known = Known(stored(write(tmp_path, a="red", b="green")))
    files = write(tmp_path, a="green", b="red")
    assert judge(known, files) == {"a": (Verdict.MOVED, True), "b": (Verdict.MOVED, True)}
    assert known.displaced(content) == []


def test_a_content_stays_where_it_is_also_beside_the_files_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    known = Known(stored(write(tmp_path / "there", a="red", b="green")))
    (tmp_path / "there" / "b.mp4").write_text("yellow")
    files = write(tmp_path / "here", a="red", b="green")
    assert judge(known, files) == {"a": (Verdict.COPY, False), "b": (Verdict.MOVED, False)}


def test_a_place_of_two_contents_is_settled_by_reading_it(tmp_path: Path) -> None:
    """Libraries may have such places from before; the newer of them is not simply believed."""
    (true,) = stored(write(tmp_path, a="red"))
    false = Stored("0" * 32, true.path, true.location, true.size, true.modified_ns)
    known = Known([true, false])
    assert judge(known, write(tmp_path)) == {"a": (Verdict.UNCHANGED, True)}
    assert known.displaced(content) == [false.video]


@pytest.mark.parametrize(("text", "displaced"), [("green", True), ("sky", False)])
def test_a_file_that_cannot_be_read_keeps_its_place_only_if_its_size_is_the_same(
    text: str, displaced: bool, tmp_path: Path
) -> None:
    known = Known(stored(write(tmp_path, a="red")))

    def unreadable(file: Candidate) -> str:
        return content_hash(str(tmp_path))

    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        known.judge(write(tmp_path, a=text)[0], unreadable)
    assert bool(known.displaced(content)) == displaced


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = Candidate("v/caf\udce9.mp4", "/v/caf\udce9.mp4", 3, 0)
    with pytest.raises(DataError, match="its name is not UTF-8; rename the file"):
        Known().judge(file, content)


@pytest.mark.parametrize("time", [1 << 63, -(1 << 63) - 1, 10**23])
def test_a_time_that_no_table_holds_becomes_the_nearest_and_is_told(
    time: int, tmp_path: Path
) -> None:
    (file,) = write(tmp_path, a="red")
    odd = Candidate(file.path, file.location, file.size, time)
    judged = Known().judge(odd, content)
    assert judged.note == ODD_TIME
    assert abs(judged.file.modified_ns) >= (1 << 63) - 1
    known = Known(stored_as(judged.video, judged.file))
    assert known.judge(odd, content).verdict is Verdict.UNCHANGED


def test_a_file_that_is_passed_over_now_is_looked_at_too(tmp_path: Path) -> None:
    """It had no known suffix, and its first bytes say no longer that it is a video."""
    known = Known(stored(write(tmp_path, a="red", b="green")), [str(tmp_path)])
    beside = Known(stored(write(tmp_path, a="red", b="green")), [str(tmp_path / "sub")])
    (tmp_path / "a.mp4").write_text("some notes")
    assert [known.by_video[one].path for one in known.displaced(content)] == [
        str(tmp_path / "a.mp4")
    ]
    assert beside.displaced(content) == []
