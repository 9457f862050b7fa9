"""Real video files whose every frame carries its own number, so that a test can read it back."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

BITS = 10
Numbered = Callable[..., Path]


def picture(number: int, width: int = 160, height: int = 96) -> np.ndarray:
    """Ten bars, black or white: the number in binary."""
    bits = [number >> bit & 1 for bit in range(BITS)]
    bars = np.repeat(np.array(bits, np.uint8) * 255, -(-width // BITS))[:width]
    return np.broadcast_to(bars[None, :, None], (height, width, 3)).copy()


def number_of(pixels: np.ndarray) -> int:
    """The number in a squashed (3, S, S) frame."""
    side = pixels.shape[-1]
    centres = ((np.arange(BITS) + 0.5) * side / BITS).astype(int)
    bars = pixels[1, side // 2, centres] > 127
    return int(sum(1 << bit for bit, on in enumerate(bars) if on))


def write_numbered(
    path: Path,
    times_ms: Iterable[int] = range(0, 10_000, 40),
    codec: str = "h264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (160, 96),
    gop: int = 50,
    **options: str,
) -> Path:
    """A video with one numbered frame at each time, through the real encoder and muxer."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.gop_size = gop
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def numbered() -> Numbered:
    return write_numbered


@pytest.fixture(scope="session")
def plain_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten seconds of h264 in mp4 with the index at the front, as bytes to damage."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("h264", rate=25, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.gop_size = 50
        for number in range(250):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()
