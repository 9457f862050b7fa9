"""The process that decodes: `python -m reeltune.data._worker`, spoken to over its pipes.

It imports neither torch nor anything that trains or searches, so it starts in a fraction of a
second and can live within a small address space.
"""

import contextlib
import io
import os
import sys
from typing import IO, Any

import av
from PIL import Image

from reeltune.data import _sandbox
from reeltune.data._frames import Chosen
from reeltune.data._limits import Limits
from reeltune.data._media import Media, Refused, opened, picture, reason, still
from reeltune.data._pixels import fit
from reeltune.data._sample import Sampling
from reeltune.data._wire import WireError, receive, send

THUMBNAIL = 160  # pixels of the longer side
CLOSE = 0.5  # s at the end of a video that may be missing without a word


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not get between the messages
    limits = Limits(**receive(requests)[0]["limits"])
    av.logging.set_level(None)
    Image.MAX_IMAGE_PIXELS = limits.pixels
    send(answers, {"kind": "hello", "sandbox": _sandbox.enter(limits.memory)})
    with contextlib.suppress(WireError, BrokenPipeError):
        while True:
            request, _ = receive(requests)
            try:
                serve(request, limits, answers)
            except Refused as refusal:
                send(answers, {"kind": "refused", "reason": str(refusal)})
            except MemoryError:
                send(answers, {"kind": "refused", "reason": "needs more memory than is allowed"})
            except (WireError, BrokenPipeError):
                raise
            except Exception as error:  # a fault of ours or of a library: the next file may do
                said = f"{type(error).__name__}: {reason(error)}"
                send(answers, {"kind": "refused", "reason": said})


def serve(request: dict[str, Any], limits: Limits, answers: IO[bytes]) -> None:
    """One file: its facts, its frames, and how it ended."""
    path, pixels = request["path"], request["pixels"]
    _sandbox.allow_cpu(limits.cpu)
    if request["still"]:
        send_frame(answers, 0.0, still(path, limits), pixels)
        send(answers, {"kind": "end", "note": ""})
        return
    with opened(path, limits) as media:
        _sandbox.allow_cpu(limits.cpu * (1 + media.duration / 60))
        chosen = Chosen(media, Sampling.parse(request["sampling"]), limits)
        send(answers, {"kind": "info", **facts(media)})
        count = 0
        for time, frame in chosen:
            if count == limits.frames:
                chosen.trouble = f"the limit of {limits.frames} frames was reached"
                break
            send_frame(answers, time, picture(frame, media.shape), pixels)
            count += 1
        if count == 0:
            raise Refused(f"no frame could be decoded ({chosen.trouble or 'it holds none'})")
        send(answers, {"kind": "end", "note": note(chosen, media.duration)})


def facts(media: Media) -> dict[str, object]:
    """What is known of a video before it is decoded; sizes as displayed."""
    stream, codec = media.stream, media.stream.codec_context
    return {
        "duration": media.duration,
        "width": max(1, round(codec.width * media.shape)),
        "height": codec.height,
        "frame_rate": float(stream.average_rate or 0),
        "codec": codec.name,
        "container": media.container.format.name,
    }


def note(chosen: Chosen, duration: float) -> str:
    """What was wrong with a video of which something could be used; nothing if all was well."""
    step = 1 / float(chosen.media.stream.average_rate or 25)
    is_short = chosen.seen < duration - max(CLOSE, chosen.slack) - step
    if chosen.trouble and is_short:
        return f"only the first {chosen.seen:.1f} of {duration:.1f} s ({chosen.trouble})"
    if is_short:
        return f"only the first {chosen.seen:.1f} of {duration:.1f} s; the rest is missing"
    return f"damaged in places ({chosen.trouble})" if chosen.trouble else ""


def send_frame(answers: IO[bytes], time: float, seen: Image.Image, pixels: dict[str, Any]) -> None:
    """The square that the model reads, and a small JPEG of the whole picture."""
    small = seen.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=80)
    header = {"kind": "frame", "time": time, "width": seen.width, "height": seen.height}
    send(answers, header, fit(seen, **pixels).tobytes(), jpeg.getvalue())


if __name__ == "__main__":
    main()
