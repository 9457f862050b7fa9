"""How alike must two moments be to count as copies of one thing?

    python benchmarks/bench_copies.py ../shared/data/clips

Every clip is encoded again in three ways that lose much, and all are indexed with lite. For each
pair of thresholds: the share of copies with a moment that folds into one of the original, how many
moments of different clips would fold, and how many of one clip that are apart in time, which
stand for another take of the same scene.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from av.video.stream import VideoStream

from _line import emit
from reeltune.media.names import SUFFIXES
from reeltune.search._fold import BITS, COSINE
from reeltune.search.ingest import index
from reeltune.search.store import table as _table
from reeltune.search.store.nearest import vectors_of

RUNS = [["../shared/data/clips"]]

TICKS = 90_000  # per second
COSINES, DISTANCES = (0.85, 0.88, COSINE, 0.92, 0.94, 0.96), (6, BITS, 12, 16)


@dataclass(frozen=True)
class Loss:
    """How a copy is made worse than its original."""

    codec: str
    scale: float = 1.0
    keep: int = 1  # every so many frames are kept
    crf: int = 23  # of x264
    bit_rate: int = 0  # of other codecs


LOSSES = {
    "half_size": Loss("libx264", scale=0.5, crf=30),
    "half_rate": Loss("libx264", keep=2, crf=36),
    "mpeg4_300k": Loss("mpeg4", scale=0.75, bit_rate=300_000),
}


def encode_again(source: Path, target: Path, loss: Loss) -> None:
    """Write the pictures of a clip anew, with their own times."""
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        given = reading.streams.video[0]
        stream = writing.add_stream(loss.codec, rate=given.average_rate or 25)
        if not isinstance(stream, VideoStream):
            raise TypeError(loss.codec)
        stream.width, stream.height = (
            max(64, int(side * loss.scale) // 2 * 2) for side in (given.width, given.height)
        )
        stream.pix_fmt = "yuv420p"
        if loss.bit_rate:
            stream.bit_rate = loss.bit_rate
        else:
            stream.options = {"crf": str(loss.crf), "preset": "veryfast"}
        for number, frame in enumerate(reading.decode(given)):
            if number % loss.keep == 0:
                made = frame.reformat(stream.width, stream.height, "yuv420p")
                made.pts, made.time_base = round((frame.time or 0) * TICKS), Fraction(1, TICKS)
                made.pict_type = 0  # the encoder chooses its own keyframes
                writing.mux(stream.encode(made))
        writing.mux(stream.encode())


def make_copies(clips: Path, folder: Path) -> None:
    """Originals as links in `original`, copies in a folder for each loss, of the same names."""
    (folder / "original").mkdir()
    for path in sorted(p for p in clips.rglob("*") if p.suffix in SUFFIXES):
        name = "_".join(path.relative_to(clips).with_suffix("").parts)
        (folder / "original" / (name + path.suffix)).symlink_to(path.resolve())
        for kind, loss in LOSSES.items():
            (folder / kind).mkdir(exist_ok=True)
            encode_again(path, folder / kind / f"{name}.mp4", loss)


class Pairs:
    """Every two moments of a library of originals and copies: N x N tables."""

    def __init__(self, library: Path) -> None:
        rows = _table.open_table(library).to_table()
        paths = [Path(path) for path in rows["path"].to_pylist()]
        self.kind = np.array([path.parent.name for path in paths])
        self.clip = np.array([path.stem for path in paths])
        vectors, hashes = vectors_of(rows), rows["dhash"].to_numpy()
        self.cosine = vectors @ vectors.T
        self.bits = np.bitwise_count((hashes[:, None] ^ hashes).view(np.uint64))
        start, end = rows["start"].to_numpy(), rows["end"].to_numpy()
        self.apart = np.minimum(end[:, None], end) <= np.maximum(start[:, None], start)
        self.one_clip = self.clip[:, None] == self.clip

    def alike(self, cosine: float, bits: int) -> np.ndarray:
        return (self.cosine >= cosine) & (self.bits <= bits)

    def copies_found(self, alike: np.ndarray) -> Iterator[tuple[str, float]]:
        """Share of copied clips of which a moment is alike one of the original, by loss."""
        found = (alike & self.one_clip)[:, self.kind == "original"].any(axis=1)
        for kind in LOSSES:
            clips = set(self.clip[self.kind == kind])
            hit = set(self.clip[(self.kind == kind) & found])
            yield kind, round(len(hit) / len(clips), 3)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", type=Path, help="a folder of videos")
    chosen = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "videos").mkdir()
        make_copies(chosen.clips, folder / "videos")
        index([str(folder / "videos")], folder / "library")
        pairs = Pairs(folder / "library")
    once = np.triu(np.ones_like(pairs.cosine, bool), 1)
    different = once & ~pairs.one_clip
    scene = once & pairs.one_clip & pairs.apart & (pairs.kind[:, None] == pairs.kind)
    table = [
        {
            "cosine": cosine,
            "bits": bits,
            "copies_found": dict(pairs.copies_found(pairs.alike(cosine, bits))),
            "different_clips": int((pairs.alike(cosine, bits) & different).sum()),
            "same_scene_apart": int((pairs.alike(cosine, bits) & scene).sum()),
        }
        for cosine, bits in product(COSINES, DISTANCES)
    ]
    counts = {"different_clips": int(different.sum()), "same_scene_apart": int(scene.sum())}
    emit("How alike are copies of one thing?", used=[COSINE, BITS], pairs=counts, thresholds=table)


if __name__ == "__main__":
    main()
