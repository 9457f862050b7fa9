"""Subtitles as people and strangers write them become phrases, or are counted as none."""

import random
import time
from pathlib import Path

import pytest

from reeltune.errors import DataError
from reeltune.search.channels._cues import CUES, Form, as_phrases, bare_lines, read_cues
from reeltune.search.channels._sidecars import LARGEST, read_sidecar, sidecars, state
from reeltune.types import Phrase

SRT = "1\n00:00:01,000 --> 00:00:02,500\nHello there\n\n2\n00:00:03,000 --> 00:00:04,000\nBye\n"
VTT = (
    "WEBVTT\n\nSTYLE\n::cue { color: red }\n\nintro\n00:01.000 --> 00:02.500 align:start\n"
    "<v Bob>Hello <00:00:01.500><c>there</c>\n\nNOTE nothing\n\n"
    "00:00:03.000 --> 00:00:04.000\nBye\n"
)
ASS = (
    "[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\nStyle: broken,,x\n[Events]\n"
    "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\i1}Hello{\\i0}\\Nthere\n"
    "Comment: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,not said\n"
    "Dialogue: 0,0:00:02.00,0:00:02.50,Default,,0,0,0,,{\\p1}m 0 0 l 9 9\n"
    "Dialogue: x,0:00:03.00,0:00:04.00,Default,,y,0,0,,Bye\n"
)
TWO = [Phrase(start=1.0, end=2.5, text="Hello there"), Phrase(start=3.0, end=4.0, text="Bye")]


@pytest.mark.parametrize(("form", "text"), [("srt", SRT), ("vtt", VTT), ("ass", ASS)])
def test_each_form_is_read(form: Form, text: str) -> None:
    cues = read_cues(text, form)
    assert (cues.found, cues.broken, cues.note()) == (TWO, 0, "")


def test_numbers_that_are_said_stay_and_numbers_of_cues_go() -> None:
    close = "1\n00:00:01,000 --> 00:00:02,000\nHow many?\n42\n2\n00:00:03,000 --> 00:00:04,000\n7\n"
    assert [one.text for one in read_cues(close, "srt").found] == ["How many? 42", "7"]


def test_what_is_malformed_is_counted_and_the_rest_is_read() -> None:
    broken = "1\n00:00:0x --> nowhere\nA\n\n2\n00:00:09,000 --> 00:00:05,000\nB\n\n" + SRT
    cues = read_cues(broken, "srt")
    assert (cues.found, cues.note()) == (TWO, "2 malformed subtitles left out")
    events = read_cues(ASS + "Dialogue: 0,later,0:00:01.00,,,,,,,x\n", "ass")
    assert (events.found, events.broken) == (TWO, 1)


def test_captions_that_roll_are_told_once() -> None:
    rolling = [
        (0.0, 2.0, "we are going"),
        (2.0, 2.01, "we are going"),
        (2.01, 4.0, "we are going\nto the lake"),
        (4.0, 6.0, "to the lake\ntomorrow"),
    ]
    assert as_phrases(rolling) == [
        Phrase(start=0.0, end=2.01, text="we are going"),
        Phrase(start=2.01, end=4.0, text="to the lake"),
        Phrase(start=4.0, end=6.0, text="tomorrow"),
    ]


def test_a_cue_without_an_end_stands_until_the_next() -> None:
    assert [one.end for one in as_phrases([(1.0, 1.0, "a"), (3.0, 3.0, "b")])] == [3.0, 8.0]


@pytest.mark.parametrize(
    ("marked", "lines"),
    [
        (r"{\an8}<font color=red>Hi</font> &amp; bye", ["Hi & bye"]),
        ("<script>x</script>\x1b[31m\x07red\u202e", ["x[31mred"]),
        (r"one\Ntwo\hthree", ["one", "two three"]),
        ("3 < 4 and 5 > 4", ["3 < 4 and 5 > 4"]),
        (r"{\p1}m 0 0 l 1 1", []),
        ("<i> </i>\n{\\b1}", []),
    ],
)
def test_markup_and_what_is_not_seen_are_taken_off(marked: str, lines: list[str]) -> None:
    assert bare_lines(marked) == lines


HOSTILE = {
    "one line": "0" * 4_000_000,
    "tags that never close": SRT + "<a" * 1_000_000,
    "braces that never close": SRT + "{" * 2_000_000,
    "empty lines": SRT + "\n" * 3_000_000 + "x",
    "arrows": "-->\n" * 10_000,
    "digits and arrows": "1" * 500_000 + ":" + "1" * 500_000 + " --> 2",
    "one cue": SRT + "x\n" * 1_000_000,
}


@pytest.mark.parametrize("form", ["srt", "vtt", "ass"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_cost_little(text: str, form: Form) -> None:
    start = time.process_time()
    cues = read_cues(text, form)
    assert time.process_time() - start < 8
    assert len(cues.found) <= 2
    assert all(len(one.text) <= 1000 for one in cues.found)


def test_no_more_cues_than_the_limit_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CUES == 100_000
    monkeypatch.setattr("reeltune.search.channels._cues.CUES", 1)
    cues = read_cues(SRT, "srt")
    assert (cues.found, cues.note()) == (TWO[:1], "the limit of 1 subtitles was reached")


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text(SRT)
    return folder / "movie.mp4"


def names(video: Path, *asked: str) -> list[str]:
    return [one.path.name for one in sidecars(video, asked)]


def test_the_order_in_which_files_are_taken(tmp_path: Path) -> None:
    video = write(
        tmp_path,
        *("movie.en.forced.srt", "movie.de.srt", "movie.en.ass", "movie.en.sdh.srt"),
        *("movie.en.vtt", "movie.en.srt", "movie.fr.srt", "movie.ssa", "movie.German.vtt"),
        *("movie2.srt", "movie.part2.srt", "movie.txt", "other.srt", "movie.directors.en.srt"),
    )
    assert names(video, "en") == [
        *("movie.ssa", "movie.en.srt", "movie.en.vtt", "movie.en.ass", "movie.en.sdh.srt"),
        *("movie.de.srt", "movie.German.vtt", "movie.fr.srt", "movie.en.forced.srt"),
    ]
    assert names(video, "de", "en")[1] == "movie.de.srt"
    assert names(tmp_path / "nowhere" / "movie.mp4", "en") == []


def test_names_with_dots_in_them_are_found(tmp_path: Path) -> None:
    write(tmp_path, "a.b.c.en.srt", "a.b.srt")
    assert names(tmp_path / "a.b.c.mkv", "en") == ["a.b.c.en.srt"]
    assert names(tmp_path / "a.b.mkv", "en") == ["a.b.srt"]


def test_a_file_that_appears_is_seen_and_one_that_changes_has_another_state(
    tmp_path: Path,
) -> None:
    video = write(tmp_path)
    assert names(video) == []
    write(tmp_path, "movie.srt")
    (only,) = sidecars(video, ())
    before = state(only)
    only.path.write_text(SRT + SRT)
    assert state(only) != before


@pytest.mark.parametrize(
    ("name", "encoding", "said", "note"),
    [
        ("movie.srt", "utf-8", "Grüße", ""),
        ("movie.srt", "utf-8-sig", "Grüße", ""),
        ("movie.srt", "utf-16", "Grüße", ""),
        ("movie.srt", "utf-16-le", "Grüße", "is not UTF-8 and was read as utf-16-le"),
        ("movie.srt", "utf-16-be", "Grüße", "is not UTF-8 and was read as utf-16-be"),
        ("movie.srt", "latin-1", "Grüße", "is not UTF-8 and was read as cp1252"),
        ("movie.srt", "cp1252", "“Grüße”", "is not UTF-8 and was read as cp1252"),
        ("movie.ru.srt", "cp1251", "Привет", "is not UTF-8 and was read as cp1251"),
        ("movie.ja.srt", "cp932", "こんにちは", "is not UTF-8 and was read as cp932"),
    ],
)
def test_each_encoding_is_read(
    name: str, encoding: str, said: str, note: str, tmp_path: Path
) -> None:
    text = SRT.replace("Hello there", said).replace("\n", "\r\n")
    (tmp_path / name).write_bytes(text.encode(encoding))
    (only,) = sidecars(tmp_path / "movie.mp4", ())
    cues, wrong = read_sidecar(only)
    assert ([one.text for one in cues.found], wrong) == ([said, "Bye"], note)


@pytest.mark.parametrize(
    ("content", "said", "note"),
    [
        (SRT.replace("there", "th\0ere").encode(), "Hello there", "bytes of zero left out: 1"),
        (
            SRT.replace("there", "Zo\0ë\0").encode("cp1252"),
            "Hello Zoë",
            "is not UTF-8 and was read as cp1252; bytes of zero left out: 2",
        ),
        (b"\0\0" + SRT.replace("there", "Zoë").encode(), "Hello Zoë", "bytes of zero left out: 2"),
    ],
)
def test_bytes_of_zero_are_left_out_and_counted(
    content: bytes, said: str, note: str, tmp_path: Path
) -> None:
    (tmp_path / "movie.srt").write_bytes(content)
    cues, wrong = read_sidecar(sidecars(tmp_path / "movie.mp4", ())[0])
    assert ([one.text for one in cues.found], wrong) == ([said, "Bye"], note)


NOISE = random.Random(0).randbytes(20_000)


@pytest.mark.parametrize("name", ["movie.srt", "movie.ru.vtt", "movie.ja.ass", "movie.zh.srt"])
@pytest.mark.parametrize(
    "content", [NOISE, b"PK\x03\x04" + NOISE, b"\xff\xfe" + NOISE[:-1], bytes(5000)]
)
def test_what_is_no_text_is_not_read(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} was not read \(it is no text\)"):
        read_sidecar(sidecars(tmp_path / "movie.mp4", ())[0])


def test_a_file_that_is_too_large_is_not_read_at_all(tmp_path: Path) -> None:
    assert LARGEST == 16 << 20
    with (tmp_path / "movie.srt").open("wb") as file:
        file.write(SRT.encode())
        file.truncate(LARGEST + 1)
    with pytest.raises(DataError, match=r"not read \(it has more than 16,777,216 bytes\)"):
        read_sidecar(sidecars(tmp_path / "movie.mp4", ())[0])


def test_a_link_to_another_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "secret.txt").write_text(SRT)
    (tmp_path / "videos" / "own.txt").write_text(SRT)
    for name, target in (("a", tmp_path / "secret.txt"), ("b", Path("own.txt"))):
        (tmp_path / "videos" / f"{name}.srt").symlink_to(target)
    found = {name: sidecars(tmp_path / "videos" / f"{name}.mp4", ["en"])[0] for name in "ab"}
    with pytest.raises(DataError, match=r"a\.srt was not read \(it is a link to another folder\)"):
        read_sidecar(found["a"])
    assert read_sidecar(found["b"])[0].found == TWO
