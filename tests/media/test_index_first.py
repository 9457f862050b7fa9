"""An index that stands first tells of the same pictures and sound."""

import io
import struct
from pathlib import Path

import av
import pytest

from media.numbered_video import write_numbered
from media.spoken_video import tone, write_tones
from reeltune.media._index_first import put_index_first
from reeltune.media.cut import cut


def kinds(content: bytes) -> list[bytes]:
    """The outermost boxes of a file, in their order."""
    at, found = 0, []
    while at < len(content):
        found.append(content[at + 4 : at + 8])
        at += int.from_bytes(content[at : at + 4], "big")
    return found


def packets(content: bytes) -> list[tuple[int, int | None, int | None, bytes]]:
    with av.open(io.BytesIO(content)) as container:
        return [(one.stream_index, one.pts, one.dts, bytes(one)) for one in container.demux()]


def box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


def table(kind: bytes, form: str, *places: int) -> bytes:
    return box(kind, bytes(4), struct.pack(f">I{len(places)}{form}", len(places), *places))


def around(inner: bytes) -> bytes:
    for kind in (b"stbl", b"minf", b"mdia", b"trak"):
        inner = box(kind, inner)
    return box(b"moov", box(b"mvhd", bytes(100)), inner)


def test_pictures_and_sound_are_the_same_packets(tmp_path: Path) -> None:
    source = write_tones(tmp_path / "tones.mp4", (0.0, tone(3)), codec="aac")
    content = source.read_bytes()
    assert kinds(content)[-1] == b"moov"
    file = io.BytesIO(content)
    assert put_index_first(file)
    moved = file.getvalue()
    assert kinds(moved).index(b"moov") < kinds(moved).index(b"mdat")
    assert len(moved) == len(content)
    assert packets(moved) == packets(content)
    assert not put_index_first(file)
    assert file.getvalue() == moved


@pytest.mark.parametrize(("suffix", "exact"), [(".mp4", False), (".mp4", True), (".mov", False)])
def test_a_clip_plays_before_all_of_it_is_there(suffix: str, exact: bool, tmp_path: Path) -> None:
    video, out = write_numbered(tmp_path / "video.mp4"), tmp_path / f"clip{suffix}"
    cut(video, 0.5, 1.5, out, exact=exact)
    found = kinds(out.read_bytes())
    assert found.index(b"moov") < found.index(b"mdat")


def test_places_of_either_width_follow() -> None:
    for kind, form in ((b"stco", "I"), (b"co64", "Q")):
        head, data = box(b"ftyp", b"isom"), box(b"mdat", b"abcdef")
        index = around(table(kind, form, len(head) + 8, len(head) + 11))
        file = io.BytesIO(head + data + index)
        assert put_index_first(file)
        by = len(index)
        moved = around(table(kind, form, len(head) + 8 + by, len(head) + 11 + by))
        assert file.getvalue() == head + moved + data


@pytest.mark.parametrize(
    "index",
    [
        around(table(b"stco", "I", 2**32 - 1)),  # which would be beyond 4 GB
        around(box(b"stco", bytes(4), struct.pack(">II", 1000, 1))),  # a table that is cut off
        around(box(b"stco")),
        box(b"moov", b"\0\0\1\0trak"),
        box(b"moov", b"\0\0\0\0"),
        b"\0\0\0\1moov",
        b"\0",
        b"",
    ],
)
def test_what_is_not_understood_stays_as_it_is(index: bytes) -> None:
    content = box(b"ftyp", b"isom") + box(b"mdat", b"abcdef") + index
    file = io.BytesIO(content)
    assert not put_index_first(file)
    assert file.getvalue() == content
