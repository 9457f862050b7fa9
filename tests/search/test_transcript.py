"""Transcripts: from a library by place and by content, and as subtitles that are read again."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.errors import DataError, LibraryError
from reeltune.search.store.manifest import Manifest
from reeltune.search.transcript import transcript
from reeltune.search.transcript_text import lines_of
from reeltune.types import Phrase
from search.tellers import Beside, run

PHRASES = [
    Phrase(start=0, end=1.5, text="a birthday"),
    Phrase(start=3723.0456, end=3725, text="<b>R&D</b> --> more"),
]


def test_subrip_has_numbers_times_and_words() -> None:
    assert "\n".join(lines_of(PHRASES, "srt")).split("\n\n") == [
        "1\n00:00:00,000 --> 00:00:01,500\na birthday",
        "2\n01:02:03,046 --> 01:02:05,000\n<b>R&D</b> --> more\n",
    ]


def test_webvtt_has_no_letter_that_it_would_read_as_more_than_that() -> None:
    assert "\n".join(lines_of(PHRASES, "vtt")).split("\n\n") == [
        "WEBVTT",
        "00:00:00.000 --> 00:00:01.500\na birthday",
        "01:02:03.046 --> 01:02:05.000\n&lt;b&gt;R&amp;D&lt;/b&gt; --&gt; more\n",
    ]


def test_plain_lines_are_the_words_alone() -> None:
    assert list(lines_of(PHRASES, "txt")) == [phrase.text for phrase in PHRASES]
    assert list(lines_of([], "srt")) == []


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 60)), max_size=5))
def test_times_are_right_to_the_thousandth(spans: list[tuple[float, float]]) -> None:
    phrases = [Phrase(start=start, end=start + more, text="word") for start, more in spans]
    read = [line.split(" --> ") for line in lines_of(phrases, "srt") if " --> " in line]
    for (begins, ends), phrase in zip(read, phrases, strict=True):
        assert abs(_seconds(begins) - phrase.start) <= 0.00051
        assert abs(_seconds(ends) - phrase.end) <= 0.00051


def _seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest.replace(",", "."))


def test_a_library_is_asked_by_place_and_by_content_and_where_the_file_is_gone(
    library: Path, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(library, tmp_path / "lib"))
    videos = library.parent / "videos"

    class Says(Beside):
        def tell(self, path: Path, done: object) -> object:  # type: ignore[override]
            found = super().tell(path, lambda share: None)
            words = Phrase(start=0, end=1, text=f"this is {path.stem}")
            return type(found)(phrases=[words], source="speech", language="en")

    run(home, Says())
    told = transcript(str(videos / "red.mp4"), home)
    assert [phrase.text for phrase in told.phrases] == ["this is red"]
    other = Path(shutil.copy(videos / "two.mp4", tmp_path / "copy.mp4"))
    assert [phrase.text for phrase in transcript(str(other), home).phrases] == ["this is two"]
    with pytest.raises(DataError, match=r"none\.mp4 is no file; give a video"):
        transcript(str(tmp_path / "none.mp4"), home)
    with pytest.raises(LibraryError, match="is no library"):
        transcript(str(other), tmp_path / "nothing")


def test_a_library_that_lost_its_words_is_named_where_a_video_is_heard_again(
    library: Path, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(library, tmp_path / "lib"))
    video = tmp_path / "red.mp4"
    shutil.copy(library.parent / "videos" / "red.mp4", video)
    video.with_suffix(".srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nit is red\n")
    run(home, Beside())
    shutil.rmtree(home / "texts.lance")
    manifest = Manifest.read(home)
    assert transcript(str(video), home).note == ""  # it was not to have any
    manifest.choosing(manifest.choices._replace(channels=("said",), speech="none")).write(home)
    told = transcript(str(video), home)
    assert [phrase.text for phrase in told.phrases] == ["it is red"]
    assert told.note == (
        f"{home}/texts.lance is not there, so it was heard again; the next index run finds all "
        "words"
    )
    assert transcript(str(video), home, speech="none").note == ""
