"""Containers that cameras, discs and recorders write, through the real encoders and muxers."""

import os
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from media.numbered_video import Numbered, number_of, picture
from reeltune.media._sniff import HEAD, container_of, looks_like_video
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling

FRAMES, RATE = 75, 25
# name, muxer, codec, size, FFmpeg's demuxer
KINDS = [
    ("a.vob", "vob", "mpeg2video", (160, 96), "mpeg"),
    ("a.mod", "mpeg", "mpeg2video", (160, 96), "mpeg"),
    ("a.m2t", "mpegts", "h264", (160, 96), "mpegts"),
    ("a.asf", "asf", "wmv2", (160, 96), "asf"),
    ("a.f4v", "f4v", "h264", (160, 96), "mov"),
    ("a.divx", "avi", "mpeg4", (160, 96), "avi"),
    ("a.mxf", "mxf", "mpeg2video", (160, 96), "mxf"),
    ("a.dv", "dv", "dvvideo", (720, 576), "dv"),
    ("a.m2v", "mpeg2video", "mpeg2video", (160, 96), "mpegvideo"),
    ("a.m1v", "mpeg1video", "mpeg1video", (160, 96), "mpegvideo"),
    ("a.cmp", "m4v", "mpeg4", (160, 96), "m4v"),
    ("a.264", "h264", "h264", (160, 96), "h264"),
    ("a.265", "hevc", "hevc", (160, 96), "hevc"),
]
BY_ONE = ("a.vob", "a.mod", "a.m1v")  # FFmpeg gives a picture here and there the next one's time


ENCODED: dict[str, bytes] = {}


def write(
    path: Path, muxer: str, codec: str, size: tuple[int, int] = (160, 96), **how: str
) -> Path:
    """Numbered frames in a container; those that were asked for before are not encoded again."""
    key = repr((muxer, codec, size, how))
    if key in ENCODED:
        path.write_bytes(ENCODED[key])
        return path
    with av.open(str(path), "w", format=muxer, options=how) as container:
        stream = container.add_stream(codec, rate=RATE, options={"b": "4M"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size = 12
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    ENCODED[key] = path.read_bytes()
    return path


def numbers(decoder: Decoder, path: Path, rule: str) -> tuple[list[int], float]:
    """Numbers of the frames that a rule takes, and the length in s; nothing may be amiss."""
    decoder.sampling = Sampling.parse(rule)
    with decoder.open(path) as reading:
        found = [number_of(frame.pixels) for frame in reading]
        assert reading.note == ""
    return found, reading.info.duration


@pytest.mark.parametrize(("name", "muxer", "codec", "size", "demuxer"), KINDS)
def test_every_kind_is_known_by_its_bytes_and_read_to_its_end(
    name: str,
    muxer: str,
    codec: str,
    size: tuple[int, int],
    demuxer: str,
    decoder: Decoder,
    tmp_path: Path,
) -> None:
    path = write(tmp_path / name, muxer, codec, size)
    head = path.read_bytes()[:HEAD]
    assert (container_of(head), looks_like_video(head)) == (demuxer, True)
    found, duration = numbers(decoder, path, "fps 1")
    assert duration == pytest.approx(3.0, abs=0.13), "a program stream ends with its last time"
    assert np.abs(np.subtract(found[:3], [0, 25, 50])).max() <= (name in BY_ONE)
    found, _ = numbers(decoder, path, f"uniform {FRAMES}")
    assert len(set(range(FRAMES)) - set(found)) <= (name in BY_ONE), "each that there is"
    found, _ = numbers(decoder, path, "uniform 60")
    assert len(found) >= 60 - (name in BY_ONE)
    assert found == sorted(set(found))


@pytest.mark.parametrize("first", [b"styp", b"uuid", b"sidx", b"moof", b"free", b"emsg"])
def test_a_segment_of_mp4_may_begin_with_any_of_its_boxes(
    first: bytes, decoder: Decoder, tmp_path: Path
) -> None:
    whole = write(
        tmp_path / "a.mp4", "mp4", "h264", movflags="frag_keyframe+empty_moov+default_base_moof"
    ).read_bytes()
    (length,) = struct.unpack(">I", whole[:4])
    box = struct.pack(">I4s4sI12s", 28, first, b"msdh", 0, b"msdh")
    path = tmp_path / "b.mp4"
    path.write_bytes((box if first == b"styp" else box + whole[:length]) + whole[length:])
    assert container_of(path.read_bytes()[:HEAD]) == "mov"
    if first in (b"styp", b"uuid", b"free"):
        assert numbers(decoder, path, "fps 1")[0] == [0, 25, 50]


@pytest.mark.parametrize("rubbish", [b"\xff" * 5000, bytes(40_000), b"\x01\x47" * 1000, b"x"])
@pytest.mark.parametrize("name", ["a.ts", "a.m2ts"])
def test_a_transport_stream_may_begin_with_rubbish(
    name: str, rubbish: bytes, decoder: Decoder, tmp_path: Path
) -> None:
    path = write(tmp_path / name, "mpegts", "h264")
    path.write_bytes(rubbish + path.read_bytes())
    assert numbers(decoder, path, "fps 1")[0] == [0, 25, 50]


def test_chance_and_text_make_no_video() -> None:
    rows = [b"G" * HEAD, (b"G" + b"a" * 187) * 300, b"the free software moov"]
    rows += [os.urandom(HEAD), b"\0\0\x01\0\x01\0 an icon", b"GIF is what this text is about"]
    assert [container_of(row) for row in rows] == [None] * len(rows)
    assert container_of((b"G" + b"\xff" * 187) * 300) == "mpegts"


def test_a_clip_without_a_suffix_is_read(
    decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    path = numbered(tmp_path / "a.mkv", range(0, 3000, 40)).rename(tmp_path / "RECORDING")
    assert numbers(decoder, path, "fps 1")[0] == [0, 25, 50]
