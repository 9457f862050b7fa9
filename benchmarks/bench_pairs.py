"""What does scoring of pairs cost: a naive loop, halves read once, and only the best candidates?

    python benchmarks/bench_pairs.py univl
    python benchmarks/bench_pairs.py univl --set text_layers=12 video_layers=6 cross_layers=2
    python benchmarks/bench_pairs.py univl --run runs/toybox/univl/seed0

`naive` reads both halves of every pair anew. `all pairs` is how a pair scorer is judged: each half
is read once. `top` chooses candidates by vectors and scores only these; of a model without vectors
the candidates are drawn, and the time of the model that would choose them is left out. Figures are
seconds of the processor for all pairs of 1,000 texts and 1,000 videos, whatever else the machine
does: the naive loop is timed on some pairs, the others on some texts against all videos, and each
is scaled to all of them. With `--run`, a model that was trained on Toybox says how much R@1 the
candidates lose. The model has random weights and the sizes of its `tiny()`, but for those that are
set.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from _line import emit
from reeltune.batches.in_order import clip_batches
from reeltune.data._toybox.language import caption
from reeltune.data._toybox.world import draw_scripts
from reeltune.evaluation.beside import Asked
from reeltune.evaluation.rerank import Rerank, best
from reeltune.registry import find
from reeltune.runs.evaluate import evaluate_checkpoint
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.runs.place import RunPlace
from reeltune.tasks._candidates import CLIPS_AT_ONCE, candidate_scores
from reeltune.tasks.pair_retrieval import pair_scores
from reeltune.tasks.retrieval import vector_scores
from reeltune.types import DualEncoder, Pair

QUICK = ["univl", "--count", "200", "--top", "20", "--texts", "10", "--pairs", "64"]
RUNS = [["univl"], ["alpro"], ["violet"], ["all-in-one"]]
FIGURES = {
    "naive_beside_all_pairs": (
        "higher",
        "beside all pairs with halves read once, time of the naive loop",
    ),
    "top_beside_all_pairs": ("lower", "beside all pairs, time of the best candidates alone"),
}

NAIVE_AT_ONCE = 64


class Noise:
    """A reader of clips of noise, as the model reads them; the same clip is the same noise."""

    policy = "noise"

    def __init__(self, model: Any, frames: int) -> None:
        self._frames = frames
        self._width = getattr(model.config, "features", None)
        self._side: int = 0 if self._width else model.pixels.size

    def read(self, pair: Pair) -> np.ndarray:
        source = np.random.default_rng(int(pair.video))
        if self._width:
            return source.standard_normal((self._frames, self._width)).astype(np.float32)
        return source.integers(0, 256, (self._frames, 3, self._side, self._side), np.uint8)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


@torch.inference_mode()
def naive(model: Any, reader: Noise, texts: list[str], clips: list[Pair]) -> np.ndarray:
    """Scores of each text with the clip in its row, some at once, with nothing kept."""
    found = []
    for start in range(0, len(texts), NAIVE_AT_ONCE):
        some = slice(start, start + NAIVE_AT_ONCE)
        (video,) = clip_batches(reader, clips[some], NAIVE_AT_ONCE)
        found.append(model.score(model.tokenize(texts[some]), *video).float())
    return torch.cat(found).numpy()


@torch.inference_mode()
def read_all(model: Any, reader: Noise, clips: list[Pair]) -> None:
    for frames, mask in clip_batches(reader, clips, CLIPS_AT_ONCE):
        model.read_video(frames, mask)


def costs(model: Any, chosen: argparse.Namespace) -> dict[str, object]:
    """Seconds of each way, scaled to all pairs, and how far their scores differ."""
    count, timed, source = chosen.count, chosen.texts, np.random.default_rng(0)
    scripts = draw_scripts(source, "train", count)
    texts = [caption(script, source) for script in scripts]
    clips = [Pair(video=str(i), path=Path(str(i)), caption="") for i in range(count)]
    reader, some = Noise(model, chosen.frames), texts[:timed]
    rows, columns = (source.integers(0, n, chosen.pairs) for n in (timed, count))
    pairs_took, alone = seconds(
        lambda: naive(model, reader, [some[i] for i in rows], [clips[j] for j in columns])
    )
    read_took, _ = seconds(lambda: read_all(model, reader, clips))
    all_took, scores = seconds(lambda: pair_scores(model, reader, some, clips))
    if isinstance(model, DualEncoder):
        near_took, near = seconds(lambda: vector_scores(model, reader, texts, clips))
    else:  # the vectors of another model, whose time is its own
        near_took, near = 0.0, source.standard_normal((count, count))
    candidates = best(near[:timed], chosen.top)
    top_took, found = seconds(lambda: candidate_scores(model, reader, some, clips, candidates))
    scale = count / timed
    took = {
        "naive": pairs_took / chosen.pairs * count**2,
        "all pairs": read_took + (all_took - read_took) * scale,
        "top": near_took + read_took + (top_took - read_took) * scale,
    }
    again = np.take_along_axis(scores, candidates, axis=1)
    return {
        "seconds": {name: round(value, 1) for name, value in took.items()},
        "seconds_of_halves": {"clips": round(read_took, 1), "vectors": round(near_took, 1)},
        "naive_beside_all_pairs": round(took["naive"] / took["all pairs"], 2),
        "top_beside_all_pairs": round(took["top"] / took["all pairs"], 4),
        "naive_differs": float(np.abs(alone - scores[rows, columns]).max()),
        "top_differs": float(np.abs(found - again).max()),
        "size_of_scores": float(np.abs(scores).mean()),
    }


def lost(run: Path, top: int) -> dict[str, object]:
    """R@1 of all pairs and of candidates, of a model that was trained on Toybox."""
    recipe = evaluation_recipe(str(run), "toybox", {})
    asked = Asked(rerank=Rerank(top))
    found = evaluate_checkpoint(str(run), recipe, RunPlace(out=Path(".")), "test", asked)
    there: Any = found.figures()
    again = there["beside"][f"top {top} of similarity t2v"]["R@1"]
    whole, near = there["t2v"]["R@1"], there["beside"]["similarity t2v"]["R@1"]
    return {
        "R@1": {"all pairs": whole, f"top {top}": again, "vectors": near},
        "R@1_lost": round(whole - again, 3),
        "gallery": there["protocol"]["gallery"],
    }


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", help="a file in reeltune/models: univl, violet, alpro, all-in-one")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--run", type=Path, help="a run of that model on Toybox")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=12, help="of a clip")
    parser.add_argument("--top", type=int, default=100)
    parser.add_argument("--texts", type=int, default=50, help="that are timed")
    parser.add_argument("--pairs", type=int, default=640, help="that the naive loop is timed on")
    return parser.parse_args()


def main() -> None:
    chosen = parsed()
    settings = {name: int(value) for name, value in (one.split("=") for one in chosen.set)}
    torch.manual_seed(0)
    component = find("models", chosen.model).Config
    config = component(**{**component.tiny().model_dump(), **settings})
    figures = costs(config.build(), chosen)
    if chosen.run is not None:
        figures |= lost(chosen.run, chosen.top)
    emit(
        "what does scoring of pairs cost, and what do candidates cost and lose?",
        model=chosen.model,
        set=settings,
        pairs=f"{chosen.count} x {chosen.count}",
        top=chosen.top,
        frames=chosen.frames,
        **figures,
        load=[round(one, 1) for one in os.getloadavg()],
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main()
