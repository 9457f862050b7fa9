"""Train the head of `lite` on Flickr8k, from the photos to the file that is shipped.

    python scripts/train_lite_head.py --data ../shared/data/flickr8k

The folder holds `images.tar`, `captions.txt` and the official split files. Every choice was made
on the development split; this script reads the train and development splits only. Features of
both frozen networks are computed once and kept in `--cache`.

Loss: symmetric InfoNCE over the photos of a batch, averaged over five captions each, so that a
caption never competes with another of its own photo. The shipped weights are an exponential
moving average of the trained ones.
"""

import argparse
import copy
import csv
import io
import json
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from reeltune.evaluation.metrics import ranks, recall_at
from reeltune.media._pixels import fit
from reeltune.models._lite.frame_network import CLASSES, PIXELS, FrameNetwork
from reeltune.models._lite.head import Head
from reeltune.models._lite.sentence_encoder import SentenceEncoder
from reeltune.models.lite import Config, Lite
from reeltune.storage.tensors import write_tensors

HEAD = Path(__file__).parents[1] / "src" / "reeltune" / "models" / "_lite" / "head.safetensors"
EPOCHS, BATCH, CAPTIONS = 15, 512, 5
RATE, DECAY, SMOOTHING, AVERAGE, LARGEST_SCALE = 1e-3, 0.05, 0.05, 0.99, 50.0


class Flickr8k:
    """Photos and captions by split; five captions a photo, in the order of `captions.txt`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.captions: dict[str, list[str]] = {}
        with (folder / "captions.txt").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                self.captions.setdefault(row["image"], []).append(row["caption"])

    def split(self, name: str) -> list[str]:
        """Names of the photos of `train`, `dev` or `test`."""
        text = (self.folder / f"Flickr_8k.{name}Images.txt").read_text(encoding="utf-8")
        return [photo for photo in text.split() if photo in self.captions]

    def photos(self, names: list[str]) -> dict[str, Image.Image]:
        """The photos called `names`, in colour."""
        wanted, found = set(names), {}
        with tarfile.open(self.folder / "images.tar") as tar:
            for member in tar:
                name, file = Path(member.name).name, tar.extractfile(member)
                if name in wanted and file is not None:
                    found[name] = Image.open(io.BytesIO(file.read())).convert("RGB")
        return found


def frame_features(data: Flickr8k, names: list[str], mirrored: bool) -> Tensor:
    """Features of photos (N, F) as half floats."""
    network, photos, parts = FrameNetwork(), data.photos(names), []
    for i in range(0, len(names), 64):
        some = [photos[name] for name in names[i : i + 64]]
        some = [ImageOps.mirror(photo) if mirrored else photo for photo in some]
        squares = [fit(photo, PIXELS.size, PIXELS.fit, PIXELS.resample) for photo in some]
        parts.append(network(torch.from_numpy(np.stack(squares))).half())
        print(f"\r{i + len(some)} of {len(names)} photos", end="", flush=True)
    print()
    return torch.cat(parts)


def sentence_vectors(data: Flickr8k, names: list[str]) -> Tensor:
    """Vectors of the captions (N, 5, 384)."""
    encoder = SentenceEncoder()
    texts = [caption for name in names for caption in data.captions[name]]
    parts = []
    for i in range(0, len(texts), 1024):
        tokens = encoder.tokenize(texts[i : i + 1024])
        parts.append(encoder(tokens.ids, tokens.mask))
    return torch.cat(parts).unflatten(0, (len(names), CAPTIONS))


def cached(path: Path, make: Callable[[], Tensor]) -> Tensor:
    """The tensor at `path`, made and kept if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(make(), path)
    return torch.load(path, weights_only=True)


def loss(head: Head, features: Tensor, sentences: Tensor) -> Tensor:
    """Symmetric InfoNCE of a batch of photos (B, F) with their captions (B, 5, 384)."""
    photos = head.frames(features)  # (B, D)
    scale = head.logit_scale.exp().clamp(max=LARGEST_SCALE)
    target, total = torch.arange(len(photos)), torch.zeros(())
    for number in range(CAPTIONS):
        logits = scale * photos @ head.text(sentences[:, number]).T  # (B, B)
        for one in (logits, logits.T):
            total = total + F.cross_entropy(one, target, label_smoothing=SMOOTHING)
    return total / (2 * CAPTIONS)


def train(model: Lite, views: list[Tensor], sentences: Tensor, seed: int) -> Head:
    """The averaged head after `EPOCHS` passes over photos, each seen plain or mirrored."""
    head, source = model.head.train(), torch.Generator().manual_seed(seed)
    average, steps = copy.deepcopy(head).eval(), EPOCHS * (len(sentences) // BATCH)
    adam = torch.optim.AdamW(head.parameters(), RATE, (0.9, 0.98), weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, steps, pct_start=0.1)
    for step in range(steps):
        if step % (len(sentences) // BATCH) == 0:
            order = torch.randperm(len(sentences), generator=source).split(BATCH)
        batch = order[step % (len(sentences) // BATCH)]
        view = views[int(torch.randint(len(views), (), generator=source))]
        value = loss(head, view[batch].float(), sentences[batch])
        adam.zero_grad()
        value.backward()
        adam.step()
        schedule.step()
        with torch.no_grad():
            for kept, now in zip(average.parameters(), head.parameters(), strict=True):
                kept.lerp_(now, 1 - min(AVERAGE, step / (step + 10)))
        print(f"\rstep {step + 1} of {steps}, loss {value.item():.3f}", end="", flush=True)
    print()
    return average


@torch.no_grad()
def recalls(model: Lite, features: Tensor, sentences: Tensor) -> dict[str, float]:
    """R@1, 5, 10 in percent, every caption a query."""
    mask = torch.ones(len(features), 1, dtype=torch.bool)
    photos = model.pool_frames(features.float()[:, None], mask)
    flat = sentences.flatten(0, 1)
    texts = model.beside(model.head.text(flat), flat)
    target = np.repeat(np.arange(len(photos)), CAPTIONS)
    found = ranks(model.similarity(texts, photos).numpy(), target)
    return {f"R@{k}": round(100 * recall_at(found, k), 1) for k in (1, 5, 10)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/reeltune/flickr8k")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HEAD)
    given = parser.parse_args()
    data = Flickr8k(given.data)
    sets: dict[str, tuple[list[Tensor], Tensor]] = {}
    for name in ("train", "dev"):
        names = data.split(name)
        views = [
            cached(
                given.cache / f"{name}-frames-{int(mirrored)}.pt",
                partial(frame_features, data, names, mirrored),
            )
            for mirrored in ((False, True) if name == "train" else (False,))
        ]
        path = given.cache / f"{name}-sentences.pt"
        sets[name] = views, cached(path, partial(sentence_vectors, data, names))
    torch.manual_seed(given.seed)
    model = Lite(Config())
    (views, sentences), (dev, dev_sentences) = sets["train"], sets["dev"]
    maps = views[0][:, :-CLASSES].float()
    model.head.mean.copy_(maps.mean(0))
    model.head.std.copy_(maps.std(0) + 1e-3)
    model.head = train(model, views, sentences, given.seed)
    model.head.half().float()  # what is stored is what is measured
    print(json.dumps({"dev": recalls(model, dev[0], dev_sentences)}))
    write_tensors(given.out, {name: t.half() for name, t in model.head.state_dict().items()})


if __name__ == "__main__":
    main()
