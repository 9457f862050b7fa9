"""Make a library, fill it, look through it and search it: `python examples/keep_a_library.py`.

The clips are generated, and the model is one that knows them; for videos of your own leave `model`
out, and the default model `lite` is taken.
"""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

import reeltune
from reeltune.data.toybox import Config
from reeltune.media.progress import Silent

QUERIES = ["a red square", "a blue square and a green circle"]


class Share(Silent):
    """Keeps how much is done, by the bytes of the videos."""

    total = done = 0

    def begin(self, files: int, size: int, work: str = "") -> None:
        self.total = size

    def advance(self, path: str, size: int) -> None:
        self.done += size


def main() -> None:
    with TemporaryDirectory() as folder:
        pairs = Config(folder=Path(folder, "toybox"), size="tiny").read("test").pairs
        captions = {str(pair.path): pair.caption for pair in reversed(pairs)}
        first, *others = captions

        library = reeltune.Library.create(Path(folder, "clips.library"), model="tiny-clip")
        share = Share()
        report = library.index(others, progress=share)
        print(f"{len(report.indexed)} clips are indexed, {share.done / share.total:.0%} is done")
        library.add(first)
        for file in library.files()[:2]:
            print(f"{Path(file.path).name}: {file.width} x {file.height}, {file.duration:.1f} s")

        best = library.search(QUERIES[0], k=1)[0]
        print(f"\n{QUERIES[0]}? {captions[best.path]}, {best.start:.1f} to {best.end:.1f} s")
        picture = np.asarray(Image.open(BytesIO(library.thumbnails([best.id])[best.id])))
        print(f"its picture is {picture.shape[1]} x {picture.shape[0]}")

        # Vectors are there for work of your own: here the best clip for each of many texts.
        moments = list(library.moments(where="duration < 60", vectors=True))
        vectors = np.stack([moment.vector for moment in moments])  # (N, D)
        scores = library.embed_text(QUERIES) @ vectors.T  # (2, N), cosines
        for query, place in zip(QUERIES, scores.argmax(axis=1), strict=True):
            print(f"{query}? {captions[moments[place].path]}")
        scores = vectors @ library.embed_frames(picture[None])  # one frame: (1, H, W, 3)
        print(f"like that picture: {captions[moments[scores.argmax()].path]}")

        library.remove(first)
        health = library.verify()
        print(f"\n{health.files} files, {health.moments} moments, {len(health.faults)} faults")


if __name__ == "__main__":
    main()
