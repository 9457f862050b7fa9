"""Writes pictures, and a sound if there is one, as a clip."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from jaxtyping import Int16
from PIL import Image, ImageOps

from reeltune.cli.speaker import RATE as SPOKEN_RATE

SIZE, RATE = (640, 360), 25  # pixels; frames a second


def encode_pictures(
    pictures: Iterable[Image.Image],
    path: Path,
    sound: Int16[np.ndarray, " N"] | None = None,
    size: tuple[int, int] = SIZE,
    rate: int = RATE,
) -> None:
    """Write pictures as an mp4 of `size` at `rate`, with black borders where the aspect differs,
    and with the sound that a speaker made."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=rate, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        if sound is not None:
            _encode_sound(container, sound)
        for number, picture in enumerate(pictures):
            pixels = np.asarray(ImageOps.pad(picture.convert("RGB"), size))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _encode_sound(container: OutputContainer, sound: Int16[np.ndarray, " N"]) -> None:
    stream = container.add_stream("aac", rate=SPOKEN_RATE, layout="mono")
    frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SPOKEN_RATE, 0, Fraction(1, SPOKEN_RATE)
    container.mux(stream.encode(frame))
    container.mux(stream.encode())
