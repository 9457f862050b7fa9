"""Open a video or a picture that may be hostile; runs in the worker only."""

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image, ImageOps

from reeltune.data._limits import CODECS, FORMATS, PICTURES, Limits


class Refused(Exception):
    """The file cannot or must not be read; the message is one line for the user."""


@dataclass(frozen=True)
class Media:
    """An opened video."""

    container: InputContainer
    stream: VideoStream
    duration: float  # s; 0 where nobody knows
    shape: float  # width of a pixel by its height


def require_regular(path: str) -> None:
    """Refuse what is no plain, readable, non-empty file, before anything opens it."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise Refused(f"cannot be opened ({error.strerror})") from error
    if not stat.S_ISREG(status.st_mode):
        raise Refused("not a regular file")
    if status.st_size == 0:
        raise Refused("empty file")


@contextmanager
def opened(path: str, limits: Limits) -> Iterator[Media]:
    """A video whose container, codec and declared sizes are all within the limits."""
    require_regular(path)
    options = {
        "format_whitelist": ",".join(FORMATS),
        "protocol_whitelist": "file",
        "codec_whitelist": ",".join(CODECS),
        "max_streams": str(limits.streams),
    }
    try:
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise Refused(f"no video that can be read ({reason(error)})") from error
    with container:
        yield _checked(container, limits)


def _checked(container: InputContainer, limits: Limits) -> Media:
    pictures = [s for s in container.streams.video if not _is_cover(s)]
    if not pictures:
        sound = " only sound" if container.streams.audio else ""
        raise Refused(f"no moving picture in it{',' if sound else ''}{sound}")
    stream = pictures[0]
    codec = stream.codec_context
    if codec is None or codec.name not in CODECS:
        name = codec.name if codec is not None else "an unknown codec"
        raise Refused(f"encoded with {name}, which is not on the list of decoders")
    _check_size(codec.width, codec.height, limits)
    duration = _duration(container, stream)
    if duration > limits.duration:
        raise Refused(f"{duration:.0f} s long; the limit is {limits.duration:.0f} s")
    codec.thread_type, codec.thread_count = "NONE", 1  # one worker a core costs least
    codec.options = {"max_pixels": str(limits.pixels)}
    shape = stream.sample_aspect_ratio or codec.sample_aspect_ratio
    return Media(container, stream, duration, float(shape) if shape else 1.0)


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise Refused(f"frames of {width} x {height} pixels")
    if width * height > limits.pixels:
        raise Refused(f"frames of {width} x {height} pixels; the limit is {limits.pixels} in all")
    if max(width, height) > limits.aspect * min(width, height):
        raise Refused(f"frames of {width} x {height} pixels; the limit is {limits.aspect:g} to 1")


def _duration(container: InputContainer, stream: VideoStream) -> float:
    """Declared length in seconds, of the stream or else of the container; 0 if none is sane."""
    if stream.duration is not None and stream.time_base is not None:
        declared = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        declared = container.duration / av.time_base
    else:
        return 0.0
    return declared if math.isfinite(declared) and declared > 0 else 0.0


def picture(frame: av.VideoFrame, shape: float) -> Image.Image:
    """A frame as a person sees it: in colour, rotated, with square pixels."""
    seen: Image.Image = frame.to_image()  # type: ignore[no-untyped-call] # PyAV has no type
    if shape > 0 and abs(shape - 1) > 0.01:
        seen = seen.resize((max(1, round(seen.width * min(shape, 8.0))), seen.height))
    turns = round(frame.rotation / 90) % 4
    return seen.rotate(90 * turns, expand=True) if turns else seen


def still(path: str, limits: Limits) -> Image.Image:
    """A picture file in colour, turned as its camera was held."""
    require_regular(path)
    try:
        opened_picture = Image.open(path, formats=PICTURES)
        _check_size(*opened_picture.size, limits)
        return ImageOps.exif_transpose(opened_picture).convert("RGB")
    except Refused:
        raise
    except Exception as error:  # Pillow raises many kinds on hostile files
        raise Refused(f"no picture that can be read ({reason(error)})") from error


def reason(error: BaseException) -> str:
    """An exception in a few words, on one line, without paths."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200]
