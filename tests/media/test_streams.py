"""Which stream of a file is shown, and what is no damage although it looks like it."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from media.numbered_video import number_of, picture, write_numbered
from reeltune.errors import MediaError
from reeltune.media.decoder import Decoder

SIZES = {"small": (160, 96), "large": (320, 192)}


def write_streams(path: Path, *streams: tuple[str, str, int, Disposition | None, int]) -> Path:
    """A file of several streams: codec, size, first number, disposition, frames at 10 a second."""
    with av.open(str(path), "w") as container:
        made = []
        for codec, size, _, disposition, _ in streams:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height = SIZES[size]
            stream.pix_fmt = {"png": "rgb24", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
            if disposition is not None:
                stream.disposition = disposition
            made.append(stream)
        for stream, (_, size, first, _, count) in zip(made, streams, strict=True):
            for number in range(count):
                drawn = picture(first + number, *SIZES[size])
                frame = av.VideoFrame.from_ndarray(drawn, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def first_number(decoder: Decoder, path: Path) -> int:
    with decoder.open(path) as reading:
        frames = list(reading)
    assert reading.note == ""
    return number_of(frames[0].pixels)


NONE, DEFAULT = Disposition(0), Disposition.default
CASES = {
    "the default one, though it comes second": (
        *(("h264", "large", 1, NONE, 30), ("h264", "small", 100, DEFAULT, 40)),
    ),
    "the largest of several that are default": (
        *(("h264", "small", 1, DEFAULT, 30), ("h264", "large", 100, DEFAULT, 40)),
    ),
    "the largest where none is": (
        *(("h264", "small", 1, NONE, 30), ("h264", "large", 100, NONE, 40)),
    ),
    "not a PNG before it": (("png", "large", 1, DEFAULT, 1), ("h264", "small", 100, NONE, 40)),
    "not JPEG pictures before it": (
        *(("mjpeg", "large", 1, DEFAULT, 3), ("h264", "small", 100, NONE, 40)),
    ),
    "not a cover before it": (
        *(("mjpeg", "large", 1, Disposition.attached_pic, 1), ("h264", "small", 100, NONE, 40)),
    ),
    "the first of two that are alike": (
        *(("h264", "small", 100, NONE, 40), ("h264", "small", 1, NONE, 40)),
    ),
}


# FFmpeg's muxer of MP4 makes the first stream the default one of none; that of Matroska has no PNG.
ELSEWHERE = {"the largest where none is": ["mkv"], "not a PNG before it": ["mp4", "mov"]}
PLACES = [(case, suffix) for case in CASES for suffix in ELSEWHERE.get(case, ["mp4", "mov", "mkv"])]


@pytest.mark.parametrize(("case", "suffix"), PLACES)
def test_the_stream_that_a_player_shows_is_read(
    case: str, suffix: str, decoder: Decoder, tmp_path: Path
) -> None:
    assert first_number(decoder, write_streams(tmp_path / f"a.{suffix}", *CASES[case])) == 100


def test_a_file_of_pictures_alone_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    path = write_streams(tmp_path / "a.mov", ("png", "small", 1, NONE, 3))
    with pytest.raises(MediaError, match=r"encoded with png, which is not on the list of decoders"):
        decoder.open(path)
    path = write_streams(tmp_path / "b.mp4", ("mjpeg", "small", 1, Disposition.attached_pic, 1))
    with pytest.raises(MediaError, match=r"no video in it"):
        decoder.open(path)


def write_with_sound(path: Path, seconds: float, sound: float, codec: str, heard: str) -> Path:
    """Pictures for `seconds`, five a second, and silence for `sound` seconds, interleaved."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        audio = container.add_stream(heard, rate=48000, layout="stereo")
        step = 4800
        packets = []
        for number in range(int(seconds * 25)):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packets += video.encode(frame)
        packets += video.encode()
        for number in range(int(sound * 10)):
            silence = np.zeros((2, step), np.float32)
            heard_frame = av.AudioFrame.from_ndarray(silence, "fltp", "stereo")
            heard_frame.sample_rate, heard_frame.pts = 48000, number * step
            packets += audio.encode(heard_frame)
        packets += audio.encode()
        for packet in sorted(packets, key=lambda one: (one.dts or 0) * one.time_base):
            container.mux(packet)
    return path


KINDS = [
    ("mp4", "h264", "aac"),
    ("mkv", "h264", "aac"),
    ("webm", "libvpx", "libopus"),
    ("flv", "flv", "aac"),
    ("ts", "mpeg2video", "aac"),
    ("mpg", "mpeg2video", "mp2"),
    ("avi", "mpeg4", "aac"),
    ("asf", "wmv2", "aac"),
]


@pytest.mark.parametrize(("suffix", "codec", "heard"), KINDS)
def test_a_last_picture_under_sound_that_goes_on_is_no_damage(
    suffix: str, codec: str, heard: str, decoder: Decoder, tmp_path: Path
) -> None:
    if suffix == "flv":
        heard = "libmp3lame"
    path = write_with_sound(tmp_path / f"a.{suffix}", 2, 12, codec, heard)
    with decoder.open(path) as reading:
        frames = list(reading)
    assert reading.note == ""
    assert frames[-1].time <= 2
    assert reading.until >= 2


@pytest.mark.parametrize(("suffix", "codec", "heard"), [KINDS[1], KINDS[2]])
def test_a_file_that_was_cut_is_still_noticed_under_sound(
    suffix: str, codec: str, heard: str, decoder: Decoder, tmp_path: Path
) -> None:
    path = write_with_sound(tmp_path / f"a.{suffix}", 12, 12, codec, heard)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with decoder.open(path) as reading:
        list(reading)
    assert "could be decoded" in reading.note
    assert 2 < reading.until < 10


@pytest.mark.parametrize("delay", [0, 10, 2000, 60_000])
@pytest.mark.parametrize("count", [1, 2])
def test_a_gif_of_one_or_two_pictures_is_sound(
    count: int, delay: int, decoder: Decoder, tmp_path: Path
) -> None:
    pictures = [Image.fromarray(picture(number)) for number in range(5, 5 + count)]
    more = {"save_all": True, "append_images": pictures[1:]} if count > 1 else {}
    pictures[0].save(tmp_path / "a.gif", duration=delay, **more)  # type: ignore[arg-type]
    assert first_number(decoder, tmp_path / "a.gif") == 5


@pytest.mark.parametrize("suffix", ["mkv", "webm", "asf"])
def test_a_file_that_begins_late_is_as_long_as_it_is(
    suffix: str, decoder: Decoder, tmp_path: Path
) -> None:
    codec = {"mkv": "h264", "webm": "libvpx", "asf": "wmv2"}[suffix]
    times = range(100_000, 104_000, 40)
    path = write_numbered(tmp_path / f"late.{suffix}", times, codec=codec)
    with decoder.open(path) as reading:
        frames = list(reading)
        assert reading.info.duration == pytest.approx(4.0, abs=0.05)
    assert reading.note == ""
    assert frames[0].time == 0
    if suffix == "asf":
        return  # of one that was cut, FFmpeg does not tell what it declares
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with decoder.open(path) as reading:
        list(reading)
        assert reading.info.duration == pytest.approx(4.0, abs=0.05)
    assert "could be decoded" in reading.note
