"""How well do `lite`, `lite-zero`, and `lite` in bfloat16 find pictures and clips by words?

    python benchmarks/bench_lite.py --data ../shared/data

Flickr8k: official test split, 5,000 captions against 1,000 photos. Clips: every caption of
`clips/captions.json` against all its clips, frames by the default sampling, one vector a clip.
Ties count against the model, nothing is post-processed; intervals are 95 % bootstrap over photos
or clips.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

from _line import ROOT, emit

sys.path.insert(0, str(ROOT / "scripts"))

from reeltune.evaluation.metrics import interval, ranks, summary
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.media.squares import fitted
from reeltune.models.lite import Lite
from reeltune.models.opening.open import open_model
from reeltune.types import FrameEncoder
from train_lite_head import Flickr8k

RUNS = [["--data", "../shared/data"]]


def figures(texts: torch.Tensor, videos: torch.Tensor, target: np.ndarray) -> dict[str, object]:
    """Recalls with intervals, rounded to a tenth of a point."""
    found = ranks((texts @ videos.T).numpy(), target)
    source = np.random.default_rng(0)
    rounded: dict[str, object] = {k: round(v, 1) for k, v in summary(found).items()}
    rounded["R@1 interval"] = [round(v, 1) for v in interval(found, 1, target, source)]
    return rounded | {"queries": len(found), "gallery": len(videos)}


def flickr8k(model: FrameEncoder, features: torch.Tensor, data: Flickr8k) -> dict[str, object]:
    """Every caption of the official test split against all its photos."""
    names = data.split("test")
    videos = model.pool_frames(features[:, None], torch.ones(len(names), 1, dtype=torch.bool))
    texts = [caption for name in names for caption in data.captions[name]]
    encoded = [
        model.encode_text(model.tokenize(texts[i : i + 500])) for i in range(0, len(texts), 500)
    ]
    return figures(torch.cat(encoded), videos, np.repeat(np.arange(len(names)), 5))


def photo_features(model: FrameEncoder, data: Flickr8k) -> torch.Tensor:
    """Frozen features of the test photos."""
    names, pixels = data.split("test"), model.pixels
    photos = data.photos(names)
    parts = []
    for i in range(0, len(names), 50):
        squares = [fitted(photos[name], pixels) for name in names[i : i + 50]]
        parts.append(model.encode_frames(torch.from_numpy(np.stack(squares))))
    return torch.cat(parts)


def clips(model: FrameEncoder, folder: Path, sampling: Sampling) -> dict[str, object]:
    """Every caption of the clips against all clips."""
    captions: dict[str, list[str]] = json.loads((folder / "captions.json").read_text())
    vectors = []
    with Decoder(model.pixels, sampling) as decoder:
        for path in captions:
            with decoder.open(folder / path) as reading:
                frames = torch.stack([torch.from_numpy(frame.pixels) for frame in reading])
            vectors.append(model.encode_video(frames[None], torch.ones(1, len(frames)).bool()))
    texts = [text for path in captions for text in captions[path]]
    target = np.repeat(np.arange(len(captions)), [len(c) for c in captions.values()])
    return figures(model.encode_text(model.tokenize(texts)), torch.cat(vectors), target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    folder = parser.parse_args().data
    if not folder.is_dir():
        print(f"{folder} is absent, so there is nothing to measure on", file=sys.stderr)
        return
    data, features = Flickr8k(folder / "flickr8k"), torch.empty(0, 0)
    for name in ("lite", "lite-zero", "lite in bfloat16"):
        model = open_model(name.split()[0], device="cpu")
        if not isinstance(model, FrameEncoder):
            raise TypeError(name)
        if isinstance(model, Lite) and name != "lite":
            model = model.rounded("bfloat16")
        with torch.inference_mode():
            is_part = name == "lite-zero"  # its features are the last of those of lite
            features = features[:, -1000:] if is_part else photo_features(model, data)
            emit(f"{name}: Flickr8k official test", **flickr8k(model, features, data))
            for sampling in ("gap 2", "uniform 1", "uniform 4", "uniform 16"):
                found = clips(model, folder / "clips", Sampling.parse(sampling))
                emit(f"{name}: captioned clips, sampling {sampling}", **found)


if __name__ == "__main__":
    main()
