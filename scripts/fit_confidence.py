"""Fit what turns scores into confidence, and check it on data that was held out.

    python scripts/fit_confidence.py --data ../shared/data --cache /tmp/confidence

Photos of Flickr8k stand for moments, in galleries of several sizes: the dev split for the fit, the
test split for the check, and the captioned clips for a second check. A query is present (its photo
is in the gallery; half of the weight), removed (its photo is not) or far (a caption of MSVD); as a
picture, a query is a cropped and coarsely saved copy of the photo. A
hit is labelled a match if it is the query's own photo or if its captions agree with the query as
much as three of four captions agree with another one of their own photo.

Prints the weights for `_confidence.py` and one JSON line a check.
"""

import argparse
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from reeltune.media._pixels import fit
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.models.lite import Lite
from reeltune.models.opening.open import open_encoder
from reeltune.search._confidence import GOOD, MOST, WEIGHTS, Baseline, Kind, Usual, features
from train_lite_head import Flickr8k

ALTERED = 200  # photos that are also encoded after cropping and coarse saving
DRAWS, RANKS = 400, 5  # queries of each kind and size; hits looked at of each
KINDS = {"present": 0.5, "removed": 0.25, "far": 0.25}  # weight


@dataclass(frozen=True)
class Pictures:
    """Photos or clips with their captions, encoded."""

    vectors: np.ndarray  # (N, D)
    texts: np.ndarray  # (C, D), in the model's space
    sentences: np.ndarray  # (C, 384), by the sentence encoder alone
    owner: np.ndarray  # (C,), which picture a caption is of
    altered: np.ndarray  # (A, D), the first of the pictures, cropped and coarsely saved

    def agreement(self, sentence: np.ndarray) -> np.ndarray:
        """Best cosine of a sentence with the captions of each picture."""
        best = np.full(self.owner.max() + 1 if len(self.owner) else 0, -1.0)
        np.maximum.at(best, self.owner, self.sentences @ sentence)
        return best


@torch.inference_mode()
def encode_texts(model: Lite, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    spaces, sentences = [], []
    for start in range(0, len(texts), 200):
        tokens = model.tokenize(texts[start : start + 200])
        spaces.append(model.encode_text(tokens))
        sentences.append(model.sentences(tokens.ids, tokens.mask))
    return torch.cat(spaces).numpy(), torch.cat(sentences).numpy()


def alter(photo: Image.Image) -> Image.Image:
    """The middle at half size, saved coarsely: another copy of the same thing."""
    width, height = photo.size
    edge = (width // 14, height // 14)
    middle = photo.crop((*edge, width - edge[0], height - edge[1]))
    saved = io.BytesIO()
    middle.resize((width // 2, height // 2)).save(saved, "JPEG", quality=40)
    return Image.open(saved).convert("RGB")


@torch.inference_mode()
def encode_photos(model: Lite, pictures: list[Image.Image]) -> np.ndarray:
    pixels, parts = model.pixels, []
    for start in range(0, len(pictures), 50):
        some = pictures[start : start + 50]
        squares = [fit(one, pixels.size, pixels.fit, pixels.resample) for one in some]
        frames = torch.from_numpy(np.stack(squares))[:, None]
        parts.append(model.encode_video(frames, torch.ones(len(some), 1, dtype=torch.bool)))
    return torch.cat(parts).numpy()


def photos(model: Lite, data: Flickr8k, split: str) -> Pictures:
    names = data.split(split)
    opened = data.photos(names)
    texts = [caption for name in names for caption in data.captions[name]]
    owner = np.repeat(np.arange(len(names)), [len(data.captions[name]) for name in names])
    vectors = encode_photos(model, [opened[name] for name in names])
    altered = encode_photos(model, [alter(opened[name]) for name in names[:ALTERED]])
    return Pictures(vectors, *encode_texts(model, texts), owner, altered)


@torch.inference_mode()
def clips(model: Lite, folder: Path) -> Pictures:
    captions: dict[str, list[str]] = json.loads((folder / "captions.json").read_text())
    vectors = []
    with Decoder(model.pixels, Sampling.parse("gap 2")) as decoder:
        for path in captions:
            with decoder.open(folder / path) as reading:
                frames = torch.stack([torch.from_numpy(frame.pixels) for frame in reading])
            vectors.append(model.encode_video(frames[None], torch.ones(1, len(frames)).bool()))
    texts = [text for some in captions.values() for text in some]
    owner = np.repeat(np.arange(len(captions)), [len(some) for some in captions.values()])
    found = torch.cat(vectors).numpy()
    return Pictures(found, *encode_texts(model, texts), owner, found[:0])


def far_captions(model: Lite, folder: Path, split: str) -> Pictures:
    lines = (folder / f"msvd{split}.caption.txt").read_text("utf-8", "replace").splitlines()
    texts = [line.split(" ", 1)[1] for line in lines if " " in line]
    some = np.random.default_rng(0).choice(len(texts), 1000, replace=False)
    encoded = encode_texts(model, [texts[i] for i in some])
    none = np.empty((0, model.dim), np.float32)
    return Pictures(none, *encoded, np.empty(0, np.int64), none)


def own_agreement(pictures: Pictures) -> float:
    """What three of four captions reach with another caption of their own picture."""
    reached = []
    for caption, owner in enumerate(pictures.owner):
        others = np.flatnonzero(pictures.owner == owner)
        others = others[others != caption]
        reached.append((pictures.sentences[others] @ pictures.sentences[caption]).max())
    return float(np.quantile(reached, 0.25))


@dataclass
class Hits:
    """The best hits of many queries, one row a hit."""

    rows: list[tuple[float, ...]]

    def __getattr__(self, name: str) -> np.ndarray:
        names = ("match", "score", "count", "rank", "weight", "mean", "spread", "own", "apart")
        return np.array([row[names.index(name)] for row in self.rows])


def draw(
    gallery: Pictures, far: Pictures, size: int, threshold: float, baseline: Baseline, by: Kind
) -> Hits:
    """Queries of each kind against random galleries."""
    source, hits = np.random.default_rng(size), Hits([])
    mean, std = baseline.of(gallery.vectors)
    for kind, weight in KINDS.items():
        if by == "picture" and kind == "far":
            continue
        for _ in range(DRAWS):
            query, own, agreement = ask(gallery, far, kind, by, source)
            others = np.arange(len(gallery.vectors))
            members = source.permutation(others[others != own])[:size]
            if kind == "present":
                members[0] = own
            scores = gallery.vectors[members] @ query
            pooled = mean[members].mean(), np.sqrt((std[members] ** 2).mean())
            for rank, at in enumerate(np.argsort(-scores)[:RANKS]):
                one = members[at]
                match = bool(one == own or agreement[one] >= threshold)
                z = (scores[at] - mean[one]) / std[one]
                apart = mean_cosine(gallery.vectors[members])
                row = (match, scores[at], len(members), rank, weight, *pooled, z, apart)
                hits.rows.append(tuple(map(float, row)))
    return hits


def ask(
    gallery: Pictures, far: Pictures, kind: str, by: Kind, source: np.random.Generator
) -> tuple[np.ndarray, int, np.ndarray]:
    """A query, the picture it is of (-1: none), and its agreement with every picture."""
    if by == "picture":
        own = int(source.integers(len(gallery.altered)))
        sentences = gallery.sentences[gallery.owner == own]
        agreement = np.mean([gallery.agreement(one) for one in sentences], axis=0)
        return gallery.altered[own], own, agreement
    asker = far if kind == "far" else gallery
    caption = int(source.integers(len(asker.texts)))
    own = -1 if kind == "far" else int(gallery.owner[caption])
    return asker.texts[caption], own, gallery.agreement(asker.sentences[caption])


def mean_cosine(vectors: np.ndarray) -> float:
    """Mean cosine of all pairs of two different unit vectors."""
    count, total = len(vectors), vectors.sum(axis=0)
    return float((total @ total - count) / (count * (count - 1)))


def regression(inputs: np.ndarray, match: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Logistic regression by Newton's method: a weight for each input, and the bias."""
    design = np.column_stack([inputs, np.ones(len(inputs))])
    weights = np.zeros(design.shape[1])
    for _ in range(30):
        sure = 1 / (1 + np.exp(-(design @ weights)))
        slope = design.T @ (weight * (sure - match))
        curve = (design * (weight * sure * (1 - sure))[:, None]).T @ design
        weights -= np.linalg.solve(curve, slope)
    return weights


def chance(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(np.column_stack([inputs, np.ones(len(inputs))]) @ weights)))


def area(sure: np.ndarray, match: np.ndarray) -> float:
    """Area under the ROC curve: chance that a match is surer than what is none."""
    ranks = np.argsort(np.argsort(sure)) + 1
    right, wrong = match.sum(), (1 - match).sum()
    return float((ranks[match > 0].sum() - right * (right + 1) / 2) / (right * wrong))


def reliability(sure: np.ndarray, match: np.ndarray, weight: np.ndarray) -> list[list[float]]:
    """For each fifth of the scale: share of hits, mean confidence, share of matches."""
    rows = []
    for part in range(5):
        inside = np.minimum((sure * 5).astype(int), 4) == part
        if inside.any():
            some = [np.average(column[inside], weights=weight[inside]) for column in (sure, match)]
            rows.append([weight[inside].sum() / weight.sum(), *some])
    return rows


def check(name: str, hits: Hits, sure: np.ndarray) -> None:
    """Print how well the confidence of best hits holds."""
    best = hits.rank == 0
    sure, match, weight = sure[best], hits.match[best], hits.weight[best]
    table = reliability(sure, match, weight)
    line = {
        "check": name,
        "AUC": area(sure, match),
        "ECE": sum(share * abs(said - true) for share, said, true in table),
        "right answers called good": float((sure[match > 0] >= GOOD).mean()),
        "wrong answers called good": float((sure[match == 0] >= GOOD).mean()),
        "reliability": [[round(value, 3) for value in row] for row in table],
    }
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}))


def inputs_of(hits: Hits, by: Kind, usual: Usual | None) -> np.ndarray:
    """What the regression sees; without `usual` by the library's own baseline."""
    own = zip(hits.mean, hits.spread, hits.apart, strict=True)
    each = [usual or Usual(*one) for one in own]
    counts = hits.count.astype(int).tolist()
    rows = zip(hits.score[:, None], counts, each, strict=True)
    return np.concatenate([features(score, count, one, by) for score, count, one in rows])


def encoded(data: Path, cache: Path, model: Lite) -> dict[str, Pictures]:
    """All that is needed, from files in `cache` where they are."""
    flickr, msvd = Flickr8k(data / "flickr8k"), data / "annotations" / "msvd_dual_encoding"
    makers: dict[str, Callable[[], Pictures]] = {
        "dev": lambda: photos(model, flickr, "dev"),
        "test": lambda: photos(model, flickr, "test"),
        "clips": lambda: clips(model, data / "clips"),
        "far-val": lambda: far_captions(model, msvd, "val"),
        "far-test": lambda: far_captions(model, msvd, "test"),
    }
    cache.mkdir(parents=True, exist_ok=True)
    for name, make in makers.items():
        if not (cache / f"{name}.npz").exists():
            np.savez(cache / f"{name}.npz", **vars(make()))
    return {name: Pictures(**np.load(cache / f"{name}.npz")) for name in makers}


def usual_of(pictures: Pictures, baseline: Baseline) -> Usual:
    mean, std = baseline.of(pictures.vectors)
    apart = mean_cosine(pictures.vectors)
    return Usual(float(mean.mean()), float(np.sqrt((std**2).mean())), apart)


def best_threshold(hits: Hits, sure: np.ndarray) -> float:
    """Where right answers called good and wrong ones called bad are most, to a twentieth."""
    steps = np.arange(1, 20) / 20
    right, wrong = sure[hits.match > 0], sure[hits.match == 0]
    return float(max(steps, key=lambda step: (right >= step).mean() - (wrong >= step).mean()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, required=True)
    chosen = parser.parse_args()
    model = open_encoder("lite")
    if not isinstance(model, Lite):
        raise SystemExit("lite is not the model that this script knows")
    sets = encoded(chosen.data, chosen.cache, model)
    baseline, threshold = Baseline.of_model(model), own_agreement(sets["dev"])
    usual = usual_of(sets["dev"], baseline)
    print(f"a match is an agreement of {threshold:.2f}; usual similarities of lite: {usual}")
    by: Kind
    for by in ("text", "picture"):
        sizes = (4, 16, 100, int(MOST))
        drawn = [draw(sets["dev"], sets["far-val"], n, threshold, baseline, by) for n in sizes]
        train = Hits([row for hits in drawn for row in hits.rows if row[3] == 0])
        seen = inputs_of(train, by, usual)
        weights = regression(seen, train.match, train.weight)
        best = best_threshold(train, chance(seen, weights))
        print(f"{by}: weights {weights.round(3).tolist()}, in use {WEIGHTS[by]}, threshold {best}")
        checks = {f"photos {n}": (sets["test"], n) for n in (16, 100, 1000)}
        if by == "text":
            checks["clips 16"] = sets["clips"], 16
        for name, (pictures, size) in checks.items():
            hits = draw(pictures, sets["far-test"], size, threshold, baseline, by)
            check(f"{by}, {name}", hits, chance(inputs_of(hits, by, usual), weights))
            own = chance(inputs_of(hits, by, None), weights)
            check(f"{by}, {name}, by the library's own baseline", hits, own)
            if by == "text":
                z = np.column_stack([train.own, np.log(train.count)])
                only = regression(z, train.match, train.weight)
                alone = chance(np.column_stack([hits.own, np.log(hits.count)]), only)
                check(f"{by}, {name}, by the baseline of each moment", hits, alone)


if __name__ == "__main__":
    main()
