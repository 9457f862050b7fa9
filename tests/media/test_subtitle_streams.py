"""Subtitles inside videos, read as text packet by packet."""

from pathlib import Path

import av
import pytest

from media.spoken_video import write_subtitles, write_tones
from reeltune.media import languages
from reeltune.media._subtitles import Written, plain
from reeltune.media.decoder import Decoder
from reeltune.media.limits import Limits
from reeltune.media.spoken import Subtitle


def told(text: str) -> bytes:
    """A packet of mov_text."""
    return len(text.encode()).to_bytes(2) + text.encode()


@pytest.mark.parametrize(
    ("suffix", "codec", "packet", "text"),
    [
        ("mp4", "mov_text", told("Grüße, all"), "Grüße, all"),
        ("mkv", "subrip", "<i>Grüße</i>, all".encode(), "<i>Grüße</i>, all"),
        ("mkv", "ass", "0,0,Default,,0,0,0,,Grüße, all".encode(), "Grüße, all"),
        ("mkv", "webvtt", "<v Bob>Grüße, all".encode(), "<v Bob>Grüße, all"),
    ],
)
def test_each_kind_of_stream_is_read_with_its_times(
    suffix: str, codec: str, packet: bytes, text: str, decoder: Decoder, tmp_path: Path
) -> None:
    cues = [(1.0, 2.5, packet), (3.0, 4.0, packet)]
    path = write_subtitles(tmp_path / f"a.{suffix}", codec, cues, "ger")
    with decoder.subtitles(path) as found:
        assert list(found) == [Subtitle(1.0, 2.5, text), Subtitle(3.0, 4.0, text)]
    assert (found.language, found.note) == ("de", "")


def test_times_count_from_the_first_picture(decoder: Decoder, tmp_path: Path) -> None:
    path = write_subtitles(tmp_path / "a.mkv", "subrip", [(3.0, 4.0, b"Hello")], start=2.0)
    with decoder.subtitles(path) as found:
        assert list(found) == [Subtitle(1.0, 2.0, "Hello")]


def test_no_subtitles_are_no_error(decoder: Decoder, tmp_path: Path) -> None:
    with decoder.subtitles(write_tones(tmp_path / "a.mkv")) as found:
        assert list(found) == []
    assert found.codec == ""


def test_forced_subtitles_are_no_transcript(decoder: Decoder, tmp_path: Path) -> None:
    forced = av.stream.Disposition.forced
    cues = [(1.0, 2.0, b"Hello")]
    path = write_subtitles(tmp_path / "a.mkv", "subrip", cues, disposition=forced)
    with decoder.subtitles(path) as found:
        assert list(found) == []


def test_packets_are_cut_at_the_limits(tmp_path: Path) -> None:
    cues = [(float(number), number + 1.0, b"x" * 9_000) for number in range(1, 6)]
    path = write_subtitles(tmp_path / "a.mkv", "subrip", cues)
    for limits, count in ((Limits(), 5), (Limits(cues=2), 2), (Limits(words=10_000), 2)):
        with av.open(str(path)) as container:
            stream = container.streams.subtitles[0]
            written = Written(container, stream, 0.0, limits, lambda: None)
            texts = [text for _, _, text in written]
        assert [len(text) for text in texts] == [4096] * count
        assert bool(written.trouble) == (count < 5)


def test_packets_of_nonsense_are_empty() -> None:
    assert plain("mov_text", b"\0") == b""
    assert plain("mov_text", b"\xff\xffab") == b"ab"
    assert plain("mov_text", b"\0\x06\xfe\xff\0H\0i") == b"Hi"
    assert plain("ass", b"0,0,Default") == b""


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        *(("eng", "en"), ("EN", "en"), ("ger", "de"), ("deu", "de"), ("pt_br", "pt-BR")),
        *(("zh-hans", "zh-Hans"), ("German", "de"), ("und", ""), ("", ""), ("1080p", "")),
        *(("forced", ""), ("en-a-b-c", ""), ("es-419", "es-419"), ("xx", "")),
    ],
)
def test_names_of_languages_become_their_tags(name: str, tag: str) -> None:
    assert languages.tag(name) == tag
