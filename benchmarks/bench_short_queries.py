"""Does `lite` find what is asked for in one to three words, as people type?

    python benchmarks/bench_short_queries.py --data ../shared/data [--against FOLDER]

Photos: captions and short phrases of the official test split of Flickr8k against its 1,000 photos.
A phrase is right where its first photo has all its words in one caption. With `--against`, the
same for the head of a folder, and what is gained: 95 % paired bootstrap over photos for captions,
over phrases for phrases.

Clips: five queries for each of nine films, written before any ranking of them was looked at,
against all clips of the folder, by `index` and `search` as a user would. Two clips are of one film.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from _line import ROOT, emit

sys.path.insert(0, str(ROOT / "scripts"))

from lite_head_losses import Lessons
from reeltune import Library
from reeltune.evaluation.bootstrap import bounds, resampled_means, sums_by_group
from reeltune.evaluation.metrics import ranks
from reeltune.models.lite import Lite, load
from reeltune.search.ingest import Choice, index
from reeltune.search.query import may_match
from train_lite_head import Flickr8k, lessons

RUNS = [["--data", "../shared/data"]]
FIGURES = {
    "R@1": ("higher", "recall at 1"),
}

QUERIES = {
    "big_buck_bunny_0_30.webm|bigbuckbunny.mp4": "cartoon|rabbit|animated film|meadow|green hill",
    "bikes.mp4": "bicycle|cyclist|city traffic|man on bike|parked bike",
    "flipping_a_pancake.mkv": (
        "pancake|flipping a pancake|striped sweater|making breakfast|holding frying pan"
    ),
    "hitting_baseball.mp4": "baseball|batting cage|baseball bat|batting practice|boy with bat",
    "jesse_dance.mp4": "woman dancing|stick figures|children's drawings|doodles|refrigerator",
    "making_cake.mp4": "cake batter|electric mixer|baking|mixing dough|kitchen mixer",
    "mmaction2_demo.mp4": "arm wrestling|wrestling|holding hands|plastic bottle|strength contest",
    "paddle_example.avi": "archery|bow and arrow|archer|school gym|red hair",
    "v_ZNVhz7ctTq0.mp4": "dog|white dog|dog walk|sidewalk|suburban street",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/reeltune/flickr8k")
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    if not given.data.is_dir():
        print(f"{given.data} is absent, so there is nothing to measure on", file=sys.stderr)
        return
    shown = lessons(Flickr8k(given.data / "flickr8k"), "test", ["plain"], given.cache)
    former = None if given.against is None else first_answers(load(given.against), shown)
    for name, (right, groups) in first_answers(load(None), shown).items():
        gained = {} if former is None else gain(right, former[name][0], groups)
        emit(f"lite, {name}", queries=len(right), **{"R@1": percent(right)}, **gained)
    for folder in (None, given.against) if given.against else (None,):
        clips(given.data / "clips", folder)


@torch.inference_mode()
def first_answers(model: Lite, shown: Lessons) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Whether the first photo of each query is right, and what is drawn anew as a whole."""
    seen = shown.views[0].float()
    photos = model.pool_frames(seen[:, None], torch.ones(len(seen), 1, dtype=torch.bool))

    def scores(sentences: torch.Tensor) -> torch.Tensor:
        return model.similarity(model.beside(model.head.text(sentences), sentences), photos)

    own = np.repeat(np.arange(len(photos)), shown.captions.shape[1])
    captions = ranks(scores(shown.captions.flatten(0, 1)).numpy(), own) == 1
    first = scores(shown.phrases[0]).argmax(dim=1, keepdim=True)
    right = shown.true.gather(1, first)[:, 0].numpy()
    found = {"captions": (captions, own)}
    for name, some in (("one word", shown.words == 1), ("two or three words", shown.words > 1)):
        found[name] = right[some], np.arange(int(some.sum()))
    return found


def percent(right: np.ndarray) -> float:
    return round(100 * float(right.mean()), 1)


def gain(now: np.ndarray, before: np.ndarray, groups: np.ndarray) -> dict[str, object]:
    """Points of R@1 above another head, with their paired interval."""
    change = 100.0 * (now.astype(float) - before)[:, None]
    drawn = resampled_means(*sums_by_group(change, groups), np.random.default_rng(0))
    low, high = bounds(drawn)[0]
    return {
        "before": percent(before),
        "gained": round(float(change.mean()), 1),
        "interval": [round(float(low), 1), round(float(high), 1)],
    }


def clips(folder: Path, head: Path | None) -> None:
    """R@1 of the short queries about films, and how many right answers are called bad."""
    every = sorted(path for path in folder.glob("*/*") if path.suffix != ".json")
    right, bad = [], []
    with tempfile.TemporaryDirectory() as name:
        index(every, name, Choice(model="lite" if head is None else str(head)))
        library = Library(name)
        for names, queries in QUERIES.items():
            for query in queries.split("|"):
                hits = library.search(query, k=1)
                right.append(Path(hits[0].location).name in names.split("|"))
                bad.append(not may_match(hits, query))
    good, called = np.array(right), np.array(bad)
    emit(
        f"clips, {'lite' if head is None else 'the former head'}",
        queries=len(good),
        clips=len(every),
        **{"R@1": percent(good)},
        right_called_bad=percent(called[good]),
        wrong_called_bad=percent(called[~good]),
        found=[q for q, ok in zip("|".join(QUERIES.values()).split("|"), right, strict=True) if ok],
    )


if __name__ == "__main__":
    main()
