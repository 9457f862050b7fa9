"""Features of the frames of a video or photo, encoded in batches while further ones are decoded."""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from reeltune.errors import DataError
from reeltune.features.store import PICTURES
from reeltune.media.decoder import Decoder, Frame
from reeltune.types import FrameEncoder

BATCH = 32  # frames encoded at once
AHEAD = 4  # batches that are decoded while one is encoded
BRIEF = 0.04  # s that a photo is shown, as a clip

Decoded = list[Frame] | float  # batches, and after the last one when its last frame goes, in s


def encoded_video(
    path: Path, encoder: FrameEncoder, decoder: Decoder
) -> tuple[Float[np.ndarray, "T F"], list[float]]:
    """Features of the frames that the decoder takes, and the T + 1 seconds at which each frame
    appears and the last one disappears.

    Errors: `DataError` for a file of which no frame can be read.
    """
    edges: list[float] = []
    parts = []
    for found in _batches(path, decoder):
        if isinstance(found, float):
            edges.append(found)
            break
        edges.extend(frame.time for frame in found)
        parts.append(encoded(encoder, np.stack([frame.pixels for frame in found])))
    if not parts:
        raise DataError("not one frame could be decoded")
    return np.concatenate(parts), edges


@torch.inference_mode()
def encoded(
    encoder: FrameEncoder, frames: UInt8[np.ndarray, "T 3 S S"]
) -> Float[np.ndarray, "T F"]:
    """Features of frames, in float32 on the CPU."""
    return encoder.encode_frames(torch.from_numpy(frames)).float().cpu().numpy()


def _batches(path: Path, decoder: Decoder) -> Iterator[Decoded]:
    """Frames of a file in batches, decoded in a thread while the model is busy with others."""
    if path.suffix.lower() in PICTURES:
        yield [decoder.image(path)]
        yield BRIEF
        return
    waiting: queue.Queue[Decoded | BaseException] = queue.Queue(AHEAD)
    left = threading.Event()  # by the reader of the batches, before the end
    thread = threading.Thread(target=_decode, args=(path, decoder, waiting, left), daemon=True)
    thread.start()
    found: Decoded | BaseException = []
    try:
        while not isinstance(found, float):
            found = waiting.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        left.set()
        while thread.is_alive():
            if not isinstance(found, float | BaseException):  # left before the end
                decoder.interrupt()
            with suppress(queue.Empty):
                waiting.get_nowait()
            thread.join(0.05)


def _decode(
    path: Path,
    decoder: Decoder,
    waiting: "queue.Queue[Decoded | BaseException]",
    left: threading.Event,
) -> None:
    batch: list[Frame] = []
    try:
        with decoder.open(path) as reading:
            for frame in reading:
                batch.append(frame)
                if len(batch) == BATCH:
                    waiting.put(batch)
                    batch = []
                if left.is_set():
                    return
        if batch:
            waiting.put(batch)
        waiting.put(reading.until)
    except BaseException as error:  # of any kind: it is raised again where the batches are read
        waiting.put(error)
