"""What does indexing cost over decoding and encoding alone?

The same clips (the demo's samples, copied a few times) are decoded and encoded by a bare loop,
one file after another in batches of 32 frames, and indexed into a fresh library; both open the
model first; interleaved, medians. The target is a ratio of at most 1.15.
"""

import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from _line import emit
from reeltune.cli.sample_clips import sample_clips
from reeltune.media.decoder import Decoder
from reeltune.models.opening.open import open_model
from reeltune.search.ingest import index
from reeltune.types import FrameEncoder

QUICK: list[str] = []
FIGURES = {
    "ratio": ("lower", "beside opening, decoding and encoding alone, time"),
    "times_real_time": ("higher", "times real time"),
}

ROUNDS, COPIES = 3, 5


def bare(paths: list[Path]) -> int:
    """Open the model, decode and encode, keep nothing; the number of frames."""
    model, count = open_model("lite", device="cpu"), 0
    if not isinstance(model, FrameEncoder):
        raise TypeError(model.name)
    with Decoder(model.pixels) as decoder, torch.inference_mode():
        for path in paths:
            with decoder.open(path) as reading:
                frames = torch.stack([torch.from_numpy(frame.pixels) for frame in reading])
            for batch in frames.split(32):
                model.encode_frames(batch)
            count += len(frames)
    return count


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        originals = sorted(sample_clips(folder / "clips").glob("*.mp4"))
        for path in originals:
            for number in range(COPIES):
                copy = folder / "videos" / f"{number}-{path.name}"
                copy.parent.mkdir(exist_ok=True)
                shutil.copy(path, copy)
                with copy.open("ab") as file:
                    file.write(b"\0" * number)  # another content, or it would be a known copy
        paths = sorted((folder / "videos").iterdir())
        frames = bare(paths)  # warms up
        took: dict[str, list[float]] = {"bare": [], "index": []}
        for number in range(ROUNDS):
            start = time.perf_counter()
            bare(paths)
            middle = time.perf_counter()
            report = index([str(folder / "videos")], folder / f"library{number}")
            took["bare"].append(middle - start)
            took["index"].append(time.perf_counter() - middle)
        seconds = sum(done.seconds for done in report.indexed)
        emit(
            "indexing over decoding and encoding alone",
            ratio=round(median(took["index"]) / median(took["bare"]), 3),
            files=len(report.indexed),
            frames=frames,
            video_seconds=round(seconds, 1),
            times_real_time=round(seconds / median(took["index"]), 1),
        )


if __name__ == "__main__":
    main()
