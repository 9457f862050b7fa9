"""Fit what turns scores of pictures as queries into confidence, and check it on other photos.

    python scripts/fit_picture_confidence.py --data ../shared/data --cache /tmp/confidence

Photos of Flickr8k stand for moments, in galleries of several sizes: the dev split for the fit, the
test split for the check. A query is a cropped and coarsely saved copy of a photo that is in the
gallery (present) or not (removed). A hit is labelled a match if it is the query's own photo, or if
its captions agree with those of the query as much as three of four captions agree with another one
of their own photo.

Prints the weights and the threshold for `_confidence.py`, and one JSON line a check.
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

from reeltune.media.squares import fitted
from reeltune.models.lite import Lite
from reeltune.models.opening.open import open_encoder
from reeltune.search._by_torch import ByTorch
from reeltune.search._confidence import MOST, POOR, WEIGHTS, features
from reeltune.search._model_usual import usual_of
from reeltune.search._usual import Usual
from train_lite_head import Flickr8k

ALTERED = 200  # photos that are also encoded after cropping and coarse saving
DRAWS, RANKS = 400, 5  # queries of each kind and size; hits looked at of each
KINDS = {"present": 0.5, "removed": 0.25}  # weight
WRONG = 0.05  # most right answers that may be called bad


@dataclass(frozen=True)
class Pictures:
    """Photos with their captions, encoded."""

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
        squares = [fitted(one, pixels) for one in some]
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
        names = ("match", "score", "count", "rank", "weight", "apart")
        return np.array([row[names.index(name)] for row in self.rows])


def draw(gallery: Pictures, size: int, threshold: float) -> Hits:
    """Queries of each kind against random galleries."""
    source, hits = np.random.default_rng(size), Hits([])
    for kind, weight in KINDS.items():
        for _ in range(DRAWS):
            own = int(source.integers(len(gallery.altered)))
            sentences = gallery.sentences[gallery.owner == own]
            agreement = np.mean([gallery.agreement(one) for one in sentences], axis=0)
            others = np.arange(len(gallery.vectors))
            members = source.permutation(others[others != own])[:size]
            if kind == "present":
                members[0] = own
            scores = gallery.vectors[members] @ gallery.altered[own]
            apart = mean_cosine(gallery.vectors[members])
            for rank, at in enumerate(np.argsort(-scores)[:RANKS]):
                match = bool(members[at] == own or agreement[members[at]] >= threshold)
                row = (match, scores[at], len(members), rank, weight, apart)
                hits.rows.append(tuple(map(float, row)))
    return hits


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
        "right answers called bad": float((sure[match > 0] < POOR["picture"]).mean()),
        "wrong answers called good": float((sure[match == 0] >= POOR["picture"]).mean()),
        "reliability": [[round(value, 3) for value in row] for row in table],
    }
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}))


def inputs_of(hits: Hits, usual: Usual) -> np.ndarray:
    """What the regression sees; `usual` is that of the model."""
    each = [usual.halfway_to(Usual(0.0, 1.0, apart)) for apart in hits.apart]
    rows = zip(hits.score[:, None], hits.count.astype(int).tolist(), each, strict=True)
    return np.concatenate([features(score, count, one, "picture") for score, count, one in rows])


def encoded(data: Path, cache: Path, model: Lite) -> dict[str, Pictures]:
    """All that is needed, from files in `cache` where they are."""
    flickr = Flickr8k(data / "flickr8k")
    makers: dict[str, Callable[[], Pictures]] = {
        "dev": lambda: photos(model, flickr, "dev"),
        "test": lambda: photos(model, flickr, "test"),
    }
    cache.mkdir(parents=True, exist_ok=True)
    for name, make in makers.items():
        if not (cache / f"{name}.npz").exists():
            np.savez(cache / f"{name}.npz", **vars(make()))
    return {name: Pictures(**np.load(cache / f"{name}.npz")) for name in makers}


def threshold(hits: Hits, sure: np.ndarray) -> float:
    """The highest hundredth below which no more than `WRONG` of the right answers lie."""
    steps = np.arange(1, 100) / 100
    wrong = [(sure[hits.match > 0] < step).mean() for step in steps]
    return float(steps[np.array(wrong) <= WRONG].max())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, required=True)
    chosen = parser.parse_args()
    model = open_encoder("lite")
    if not isinstance(model, Lite):
        raise SystemExit("lite is not the model that this script knows")
    sets = encoded(chosen.data, chosen.cache, model)
    agreement, usual = own_agreement(sets["dev"]), usual_of(ByTorch(model))
    print(f"a match is an agreement of {agreement:.2f}; {usual}")
    drawn = [draw(sets["dev"], n, agreement) for n in (4, 16, 100, int(MOST))]
    train = Hits([row for hits in drawn for row in hits.rows if row[3] == 0])
    seen = inputs_of(train, usual)
    weights = regression(seen, train.match, train.weight)
    best = threshold(train, chance(seen, weights))
    print(f"weights {weights.round(3).tolist()}, in use {WEIGHTS['picture']}")
    print(f"threshold {best}, in use {POOR['picture']}")
    for n in (16, 100, 1000):
        hits = draw(sets["test"], n, agreement)
        check(f"photos {n}", hits, chance(inputs_of(hits, usual), weights))


if __name__ == "__main__":
    main()
