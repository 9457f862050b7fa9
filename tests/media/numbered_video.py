"""Real video files whose every frame carries its own number, so that a test can read it back."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10
ENCODED: dict[str, bytes] = {}
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


@contextmanager
def as_scheduled() -> Iterator[None]:
    """Leave the process scheduled as it was.

    Where root runs it, SVT-AV1 has its caller go before all that others do on the machine, and each
    process that the caller then starts: a test run starved whatever else was there.
    """
    if not hasattr(os, "sched_setscheduler"):  # which Linux has
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def write_numbered(
    path: Path,
    times_ms: Iterable[int] = range(0, 10_000, 40),
    codec: str = "h264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (160, 96),
    gop: int = 50,
    tick: Fraction = Fraction(1, 1000),
    muxer: dict[str, str] | None = None,
    **options: str,
) -> Path:
    """A video with one numbered frame at each time, through the real encoder and muxer.

    One that was asked for before is not encoded again.
    """
    times_ms = list(times_ms)
    key = repr((path.suffix, times_ms, codec, pix_fmt, size, gop, tick, muxer, options))
    if key in ENCODED:
        path.write_bytes(ENCODED[key])
        return path
    with as_scheduled(), av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.gop_size = gop
        stream.time_base = stream.codec_context.time_base = tick
        for number, time in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            frame.pts, frame.time_base = round(time / 1000 / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    ENCODED[key] = path.read_bytes()
    return path
