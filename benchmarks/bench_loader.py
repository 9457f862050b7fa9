"""How much faster is an epoch over cached frames than one that decodes?

The 44 clips of Toybox tiny and the sample clips of the demo, 12 frames of 224 pixels each, through
the loader's own reader: first with an empty cache, then again.
"""

import tempfile
import time
from pathlib import Path

from _line import emit
from reeltune.batches.frame_cache import FrameCache
from reeltune.batches.loader import FrameReader
from reeltune.cli.sample_clips import sample_clips
from reeltune.data.toybox import Config
from reeltune.types import Pair, Pixels

QUICK: list[str] = []
FIGURES = {
    "*/ratio": ("higher", "beside decoding, frames per second from the cache"),
}


def seconds(reader: FrameReader, pairs: list[Pair]) -> tuple[float, int]:
    """Time of an epoch, and its frames."""
    start, frames = time.perf_counter(), 0
    for pair in pairs:
        frames += len(reader.read(pair))
    return time.perf_counter() - start, frames


def speeds(pairs: list[Pair], folder: Path) -> dict[str, float]:
    with FrameReader(Pixels(size=224), 12, FrameCache(folder)) as reader:
        reader.read(pairs[0])  # so that the worker runs
        first, frames = seconds(reader, pairs[1:])
        second = min(seconds(reader, pairs[1:])[0] for _ in range(3))
    return {"decoding": frames / first, "cached": frames / second, "ratio": first / second}


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        split = Config.tiny(folder / "toybox").read("train")
        toybox = list({pair.path: pair for pair in split.pairs}.values())
        clips = sorted(sample_clips(folder / "samples").glob("*.mp4"))
        real = [Pair(video=clip.name, path=clip, caption="-") for clip in clips]
        found = {"toybox": speeds(toybox, folder / "a"), "samples": speeds(real, folder / "b")}
    rounded = {k: {n: round(v, 1) for n, v in speed.items()} for k, speed in found.items()}
    emit("epoch over cached frames, frames per second", **rounded)


if __name__ == "__main__":
    main()
