"""Train the head of `lite` on Flickr8k, from the photos to the file that is shipped.

    python scripts/train_lite_head.py --data ../shared/data/flickr8k

The folder holds `images.tar`, `captions.txt` and the official split files. Every choice was made
on the development split; this script reads the train and development splits only. Features of
both frozen networks are computed once and kept in `--cache`.

A photo is seen plain, mirrored or changed as in `varied_photos.py`, and learns from its captions,
short phrases of them and names of classes, see `lite_head_losses.py`. The shipped weights are an
exponential moving average of the trained ones.
"""

import argparse
import copy
import csv
import io
import json
import random
import tarfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from lite_head_losses import Lessons, loss
from reeltune.evaluation.metrics import ranks, recall_at
from reeltune.media.squares import fitted
from reeltune.models._lite.conse import class_names
from reeltune.models._lite.frame_network import CLASSES, PIXELS, FrameNetwork
from reeltune.models._lite.head import Head
from reeltune.models._lite.sentence_encoder import SentenceEncoder
from reeltune.models.lite import Config, Lite
from reeltune.storage.tensors import write_tensors
from short_phrases import true_phrases
from varied_photos import varied

HEAD = Path(__file__).parents[1] / "src" / "reeltune" / "models" / "_lite" / "head.safetensors"
EPOCHS, BATCH = 20, 512
RATE, DECAY, AVERAGE = 1e-3, 0.05, 0.99
VIEWS = ("plain", "mirror", "vary0", "vary1", "vary2")
TRUE_OF = {
    "train": (2, 200),
    "dev": (1, 40),
    "test": (1, 40),
}  # photos that have a phrase, fewest and most
FORMS = ("{}", "a photo of {}")


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


def viewed(photo: Image.Image, view: str, draw: random.Random) -> Image.Image:
    """One of `VIEWS` of a photo."""
    if view.startswith("vary"):
        return varied(photo, draw)
    return ImageOps.mirror(photo) if view == "mirror" else photo


def frame_features(data: Flickr8k, split: str, view: str) -> Tensor:
    """Features of the photos of a split (N, F) as half floats."""
    names = data.split(split)
    network, photos, parts = FrameNetwork(), data.photos(names), []
    draw = random.Random(split + view)
    for i in range(0, len(names), 64):
        some = [viewed(photos[name], view, draw) for name in names[i : i + 64]]
        squares = [fitted(photo, PIXELS) for photo in some]
        parts.append(network(torch.from_numpy(np.stack(squares))).half())
        print(f"\r{i + len(some)} of {len(names)} photos", end="", flush=True)
    print()
    return torch.cat(parts)


def sentence_vectors(texts: Sequence[str]) -> Tensor:
    """Vectors of texts (M, 384) as half floats."""
    encoder, parts = SentenceEncoder(), []
    for i in range(0, len(texts), 512):
        tokens = encoder.tokenize(texts[i : i + 512])
        parts.append(encoder(tokens.ids, tokens.mask).half())
    return torch.cat(parts)


def cached(path: Path, make: Callable[[], Tensor]) -> Tensor:
    """The tensor at `path`, made and kept if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(make(), path)
    return torch.load(path, weights_only=True)


@torch.inference_mode()
def lessons(data: Flickr8k, split: str, views: Sequence[str], cache: Path) -> Lessons:
    """What is seen and said of the photos of a split."""
    names = data.split(split)
    captions = [data.captions[name] for name in names]
    flat = list(chain.from_iterable(captions))
    phrases, true = true_phrases(captions, *TRUE_OF[split])

    def kept(name: str, texts: Sequence[str]) -> Tensor:
        return cached(cache / f"{split}-{name}.pt", partial(sentence_vectors, texts)).float()

    features = [
        cached(cache / f"{split}-{view}.pt", partial(frame_features, data, split, view))
        for view in views
    ]
    return Lessons(
        views=torch.stack(features),
        captions=kept("captions", flat).unflatten(0, (len(names), -1)),
        phrases=torch.stack(
            [kept(f"phrases-{i}", [f.format(one) for one in phrases]) for i, f in enumerate(FORMS)]
        ),
        words=torch.tensor([len(one.split()) for one in phrases]),
        true=torch.from_numpy(true),
        classes=kept("classes", [name.split(",")[0] for name in class_names()]),
    )


def batches(count: int, source: torch.Generator) -> Iterator[Tensor]:
    """Photos of each step, all of them once an epoch but for the rest of the division."""
    for _ in range(EPOCHS):
        yield from torch.randperm(count, generator=source).split(BATCH)[: count // BATCH]


def train(model: Lite, taught: Lessons, seed: int) -> Head:
    """The averaged head after `EPOCHS` passes over photos."""
    head, source = model.head.train(), torch.Generator().manual_seed(seed)
    count = taught.captions.shape[0]
    average, steps = copy.deepcopy(head).eval(), EPOCHS * (count // BATCH)
    adam = torch.optim.AdamW(head.parameters(), RATE, (0.9, 0.98), weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, steps, pct_start=0.1)
    for step, batch in enumerate(batches(count, source)):
        value = loss(head, taught, batch, source)
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
def figures(model: Lite, shown: Lessons) -> dict[str, float]:
    """R@1, 5, 10 of captions, and how often a phrase is true of its first photo, in percent."""
    seen = shown.views[0].float()
    photos = model.pool_frames(seen[:, None], torch.ones(len(seen), 1, dtype=torch.bool))

    def scores(sentences: Tensor) -> Tensor:
        return model.similarity(model.beside(model.head.text(sentences), sentences), photos)

    each = shown.captions.shape[1]
    found = ranks(
        scores(shown.captions.flatten(0, 1)).numpy(), np.repeat(np.arange(len(photos)), each)
    )
    first = scores(shown.phrases[0]).argmax(dim=1, keepdim=True)
    right = shown.true.gather(1, first).float().mean().item()
    recalls = {f"R@{k}": round(100 * recall_at(found, k), 1) for k in (1, 5, 10)}
    return {**recalls, "phrases P@1": round(100 * right, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/reeltune/flickr8k")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HEAD)
    given = parser.parse_args()
    data = Flickr8k(given.data)
    taught = lessons(data, "train", VIEWS, given.cache)
    shown = lessons(data, "dev", VIEWS[:1], given.cache)
    torch.manual_seed(given.seed)
    model = Lite(Config())
    maps = taught.views[0][:, :-CLASSES].float()
    model.head.mean.copy_(maps.mean(0))
    model.head.std.copy_(maps.std(0) + 1e-3)
    model.head = train(model, taught, given.seed)
    model.head.half().float()  # what is stored is what is measured
    print(json.dumps({"dev": figures(model, shown)}))
    write_tensors(given.out, {name: t.half() for name, t in model.head.state_dict().items()})


if __name__ == "__main__":
    main()
