"""The frames of every kind of file against the obvious way: decode all, then pick."""

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from PIL import Image

from media.numbered_video import Numbered
from oracles.slow_rules import slow_choice
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.media.squares import fitted
from reeltune.types import Pixels

PARTS = ["uniform 3 from 6.9 to 8.5", "uniform 7 from 7.1 to 7.3", "uniform 2 from 9.5 to inf"]
RULES = ["gap 2", "keyframe 0.5", "fps 1", "fps 3", "uniform 1", "uniform 7", "uniform 300", *PARTS]
PIXELS = Pixels(size=64, shortest=72)
FAST = {"deadline": "realtime", "cpu-used": "8"}
QUIET = {"x265-params": "log-level=none"}


class Kind(NamedTuple):
    """A container, an encoder, and what it must be told."""

    suffix: str
    codec: str
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = {}  # noqa: RUF012 - never written to
    tick: Fraction = Fraction(1, 1000)
    size: tuple[int, int] = (160, 96)


KINDS = [
    Kind("mp4", "libx264", options={"bf": "3", "x264-params": "scenecut=0"}),
    Kind("mp4", "libx264", options={"x264-params": "open-gop=1:scenecut=0:b-pyramid=normal"}),
    Kind("mp4", "libx264", "yuv444p", {"bf": "0", "tune": "zerolatency"}, size=(161, 97)),
    Kind("mp4", "libx265", "yuv420p10le", QUIET),
    Kind("mp4", "mpeg4", options={"bf": "2"}),
    Kind("mov", "prores_ks", "yuv422p10le"),
    Kind("mov", "mjpeg", "yuvj422p"),
    Kind("mkv", "libx264", "gray", size=(162, 98)),
    Kind("mkv", "ffv1", "yuv444p", size=(161, 97)),
    Kind("mkv", "libsvtav1", options={"preset": "12"}),
    Kind("webm", "libvpx", options=FAST),
    Kind("webm", "libvpx", "yuva420p", {**FAST, "auto-alt-ref": "0"}),
    Kind("webm", "libvpx-vp9", options=FAST),
    Kind("ts", "libx264"),
    Kind("ts", "mpeg2video", tick=Fraction(1, 25)),
    Kind("mpg", "mpeg2video", options={"bf": "2"}, tick=Fraction(1, 25)),
    Kind("avi", "mpeg4", tick=Fraction(1, 25)),
    Kind("avi", "msmpeg4", tick=Fraction(1, 25)),
    Kind("avi", "mjpeg", "yuvj420p", tick=Fraction(1, 25)),
    Kind("flv", "flv"),
    Kind("flv", "libx264"),
    Kind("wmv", "wmv2"),
    Kind("gif", "gif", "rgb8"),
    Kind("mov", "rawvideo", "rgb24"),
]


Squares = Callable[[float], np.ndarray]


def everything(path: Path) -> tuple[list[tuple[float, bool]], Squares, float]:
    """Time and key flag of every frame, by bare PyAV; what makes the square of the one of a time;
    and the length in s."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        keys = set()
        frames = []
        for packet in container.demux(stream):
            if packet.is_keyframe and packet.size:
                keys.add(packet.pts)
            frames += packet.decode()
        declared = stream.duration and float(stream.duration * stream.time_base)
        duration = declared or (container.duration or 0) / 1e6
        if path.suffix in (".mkv", ".webm"):  # which tell when they end, also where they begin late
            duration -= (container.start_time or 0) / 1e6
        base, shape = stream.time_base, stream.sample_aspect_ratio
    start = min(frame.pts for frame in frames)
    # The same subtraction of floats as in the code under test, so that times are equal bit by bit.
    times = [float(frame.pts * base) - float(start * base) for frame in frames]
    shown = [(time, frame.pts in keys) for time, frame in zip(times, frames, strict=True)]
    decoded = dict(zip(times, frames, strict=True))

    @cache
    def square(time: float) -> np.ndarray:
        return fitted(with_square_pixels(decoded[time].to_image(), shape), PIXELS)

    return shown, square, duration


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(PIXELS) as shared:
        yield shared


def with_square_pixels(image: Image.Image, shape: Fraction | None) -> Image.Image:
    if shape is None or abs(shape - 1) < 0.01:
        return image
    return image.resize((round(image.width * float(shape)), image.height))


def require_same(decoder: Decoder, path: Path, rules: list[str]) -> None:
    shown, square, duration = everything(path)
    until = max(duration, shown[-1][0] + 0.04)  # a frame is shown for 0.04 s at the least
    for rule in map(Sampling.parse, rules):
        decoder.sampling = rule
        with decoder.open(path) as reading:
            got = list(reading)
        assert [f.time for f in got] == slow_choice(rule, shown, duration, until), rule
        for frame in got:
            np.testing.assert_array_equal(frame.pixels, square(frame.time), str(rule))
        assert reading.note == "", rule
        assert reading.info.duration == pytest.approx(duration, abs=0.05)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.suffix}-{k.codec}-{k.pix_fmt}")
def test_frames_are_those_of_decoding_everything(
    kind: Kind, numbered: Numbered, decoder: Decoder, tmp_path: Path
) -> None:
    path = numbered(
        tmp_path / f"clip.{kind.suffix}",
        codec=kind.codec,
        pix_fmt=kind.pix_fmt,
        size=kind.size,
        tick=kind.tick,
        **kind.options,
    )
    require_same(decoder, path, RULES)


def test_uniform_jumps_and_still_finds_the_same_frames(
    numbered: Numbered, decoder: Decoder, tmp_path: Path
) -> None:
    times = range(0, 120_000, 200)
    for suffix in ("mp4", "mkv", "avi", "ts"):
        tick = Fraction(1, 5) if suffix == "avi" else Fraction(1, 1000)
        path = numbered(tmp_path / f"long.{suffix}", times, tick=tick, gop=30, bf="0")
        require_same(decoder, path, ["uniform 3", "uniform 9", "uniform 12"])


def test_one_endless_group_of_pictures_is_read_once(
    numbered: Numbered, decoder: Decoder, tmp_path: Path
) -> None:
    path = numbered(tmp_path / "screen.mp4", range(0, 120_000, 200), gop=10_000)
    require_same(decoder, path, ["uniform 6", "gap 2", "keyframe"])


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux has it")
def test_writing_av1_gives_the_tests_no_priority(numbered: Numbered, tmp_path: Path) -> None:
    before = os.sched_getscheduler(0)
    numbered(tmp_path / "first.mkv", [0, 40], codec="libsvtav1", preset="12")
    assert os.sched_getscheduler(0) == before


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_variable_frame_rate(
    suffix: str, numbered: Numbered, decoder: Decoder, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    steps = rng.choice([20, 33, 40, 120, 900, 2500], 60)
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    path = numbered(tmp_path / f"vfr.{suffix}", np.cumsum(steps).tolist(), codec=codec, gop=12)
    require_same(decoder, path, RULES)


def test_real_clips(shared_data: Path, decoder: Decoder) -> None:
    clips = shared_data / "clips"
    small = [path for path in sorted(clips.rglob("*.*")) if path.stat().st_size < 300_000]
    for path in small:
        if path.suffix != ".json":
            require_same(decoder, path, ["gap 2", "keyframe", "fps 1", "uniform 8"])
