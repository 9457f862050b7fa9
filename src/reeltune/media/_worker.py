"""The process that decodes: `python -m reeltune.media._worker`, spoken to over its pipes.

It imports neither torch nor anything that trains or searches, so it starts in a fraction of a
second and can live within a small address space.
"""

import contextlib
import io
import os
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from typing import IO, Any

import av
from PIL import Image

from reeltune.media import _sandbox
from reeltune.media._clips import Part
from reeltune.media._copied import copy
from reeltune.media._encoded import encode
from reeltune.media._frames import Chosen
from reeltune.media._hand import Taker
from reeltune.media._media import (
    Media,
    Refused,
    container_at,
    opened,
    reason,
    require_few_streams,
    still,
)
from reeltune.media._pixels import square
from reeltune.media._spoken import Outlet, serve_sound, serve_subtitles
from reeltune.media._taken import taken
from reeltune.media._wire import WireError, receive, send
from reeltune.media.limits import CODECS, SOUNDS, Limits, minutes
from reeltune.media.sampling import Sampling

THUMBNAIL = 320  # pixels of the longer side; some 10 kB
BEAT = 5.0  # s between signs of life
PLUGINS = ("Bmp", "Gif", "Jpeg", "Png", "WebP")  # of Pillow, for the pictures that are read


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not get between the messages
    limits = Limits(**receive(requests)[0]["limits"])
    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.ERROR)
    Image.MAX_IMAGE_PIXELS = limits.pixels
    for name in PLUGINS:  # later the libraries that some of them link to could not be opened
        import_module(f"PIL.{name}ImagePlugin")
    files = Taker(sys.argv[1:])
    send(answers, {"kind": "hello", "sandbox": _sandbox.enter(limits.memory)})
    with contextlib.suppress(WireError, BrokenPipeError):
        while True:
            request, _ = receive(requests)
            try:
                with files.take(request) as file:
                    serve(file, request, limits, answers)
            except Refused as refusal:
                send(answers, {"kind": "refused", "reason": str(refusal)})
            except (WireError, BrokenPipeError):
                raise
            except Exception as error:  # a fault of ours or of a library: the next file may do
                send(answers, {"kind": "refused", "reason": fault(error)})


def serve(file: int, request: dict[str, Any], limits: Limits, answers: IO[bytes]) -> None:
    """Answer for one open file: what of it was asked for, and how reading it ended."""
    _sandbox.allow_cpu(limits.cpu)
    if request["kind"] == "still":
        send_frame(answers, 0.0, still(file, limits), request)
        send(answers, {"kind": "end", "note": "", "until": 0.0})
        return
    outlet = Outlet(answers, limits, Heart(answers).beat)
    if request["kind"] == "clip":
        serve_clip(file, request, outlet)
        return
    with opened(file, limits) as media:
        _sandbox.allow_cpu(limits.cpu * (1 + minutes(media.duration, media.size)))
        if request["kind"] in ("frames", "views"):
            serve_frames(media, request, outlet)
            return
        start, duration = Chosen(media, Sampling(), outlet.beat).origin(), media.duration
    with container_at(file, limits, SOUNDS) as container:
        require_few_streams(container, limits)
        if request["kind"] == "sound":
            serve_sound(container, start, duration, outlet)
        else:
            serve_subtitles(container, start, duration, request["languages"], outlet)


def serve_frames(media: Media, request: dict[str, Any], outlet: Outlet) -> None:
    """The facts of a video, and its chosen frames."""
    longest = request["pixels"]["size"] if request["kind"] == "views" else None
    answers, limits = outlet.answers, outlet.limits
    chosen = Chosen(media, Sampling.parse(request["sampling"]), outlet.beat)
    pictures = until_trouble(chosen, longest)
    first = next(pictures, None)
    if first is None:
        raise Refused(f"no frame could be decoded ({chosen.trouble or 'there is none'})")
    width, height = first[1].size
    send(answers, {"kind": "info", **facts(media), "width": width, "height": height})
    for number, (seconds, seen) in enumerate(chain([first], pictures)):
        if number == limits.frames:
            chosen.trouble = f"the limit of {limits.frames} frames was reached"
            break
        send_frame(answers, seconds, seen, request)
    send(answers, {"kind": "end", "note": note(chosen), "until": chosen.until()})


def serve_clip(file: int, request: dict[str, Any], outlet: Outlet) -> None:
    """A part of a video as a file of its own, copied or encoded anew."""
    with opened(file, outlet.limits, CODECS + SOUNDS) as media:
        _sandbox.allow_cpu(outlet.limits.cpu * (1 + minutes(media.duration, media.size)))
        origin = Chosen(media, Sampling(), outlet.beat).origin()
        start, end = request["span"]
        part = Part(media, origin, start, end, request["format"], outlet)
        trouble, until = encode(part) if request["exact"] else copy(part)
    send(outlet.answers, {"kind": "end", "note": trouble, "until": until})


class Heart:
    """Tells the parent now and then that work goes on when no frame has come for long."""

    def __init__(self, answers: IO[bytes]) -> None:
        self._answers, self._last = answers, time.monotonic()

    def beat(self) -> None:
        """Send a sign of life, at most every few seconds; call it often."""
        if time.monotonic() - self._last > BEAT:
            send(self._answers, {"kind": "alive"})
            self._last = time.monotonic()


def until_trouble(
    chosen: Chosen, longest: int | None = None
) -> Iterator[tuple[float, Image.Image]]:
    """Time in s and picture of each frame, up to a fault; the fault goes into the note."""
    try:
        for seconds, frame in chosen:
            yield seconds, chosen.media.picture(frame, longest)
    except (WireError, BrokenPipeError):
        raise
    except Exception as error:
        chosen.trouble = fault(error)


def facts(media: Media) -> dict[str, object]:
    """What a video declares about itself, except its size."""
    stream = media.stream
    return {
        "duration": media.duration,
        "frame_rate": float(stream.average_rate or 0),
        "codec": stream.codec_context.codec.canonical_name,
        "container": media.container.format.name,
        "taken": taken(media.container),
    }


def note(chosen: Chosen) -> str:
    """What was wrong with a video that could be used in part; empty if nothing was."""
    duration = chosen.media.duration
    if chosen.is_short():
        said = f"only the first {chosen.seen:.1f} s of {duration:.1f} s could be decoded"
        return f"{said} ({chosen.trouble or 'the rest is missing'})"
    return f"damaged in places ({chosen.trouble})" if chosen.trouble else ""


def fault(error: BaseException) -> str:
    """An unexpected exception, in words for the user."""
    if isinstance(error, MemoryError):
        return "it needs more memory than is allowed"
    return str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {reason(error)}"


def send_frame(
    answers: IO[bytes], seconds: float, seen: Image.Image, request: dict[str, Any]
) -> None:
    """The whole picture if that was asked for; else the square that the model reads, and a small
    JPEG of the whole picture."""
    header = {"time": seconds, "width": seen.width, "height": seen.height}
    if request["kind"] == "views":
        send(answers, header | {"kind": "whole"}, seen.tobytes())
        return
    share = min(1.0, THUMBNAIL / max(seen.size))
    size = max(1, round(seen.width * share)), max(1, round(seen.height * share))
    jpeg = io.BytesIO()
    small = seen.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    small.save(jpeg, "JPEG", quality=80)
    channels = square(seen, **request["pixels"]).split()
    pixels = b"".join(channel.tobytes() for channel in channels)
    send(answers, header | {"kind": "frame"}, pixels, jpeg.getvalue())


if __name__ == "__main__":
    main()
