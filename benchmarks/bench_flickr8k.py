"""How good is Dual Encoding beside lite's head, on the same frozen features of the same photos?

    python benchmarks/bench_flickr8k.py --data ../shared/data

Flickr8k, each photo a clip of one frame, lite's frame network: features as `reeltune features`
makes them, in the folders of hybrid_space, train `flickr8k/dual-encoding` and its kin end to end;
both sides are tested on the official split under one protocol. Runs stopped go on. Last, the
first model with int8 layers: its figures, and the time of calls of 1, 8 and 64 texts and clips on
one thread.
"""

import argparse
import csv
import statistics
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from _line import ROOT, emit
from reeltune.batches.in_order import clip_batches, gallery_of
from reeltune.compress.report import latencies
from reeltune.data.hybrid_space import Config
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.models.opening.open import open_model
from reeltune.nn.quantize import quantize
from reeltune.recipes.read import read_recipe
from reeltune.runs.clips import StoredClips
from reeltune.runs.make_features import FeatureOptions, make_features
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.storage.cache import cache_folder
from reeltune.tasks.retrieval import card_of, encode_texts, evaluate, similarity
from reeltune.types import Split

RUNS = [["--data", "../shared/data"]]

METHODS = ("dual-encoding", "dual-encoding-plus")
SPLITS = {"train": "train", "dev": "val", "test": "test"}  # Flickr's names, ours


def photos(data: Path, out: Path) -> Path:
    """The photos as files."""
    folder = out / "images"
    if not folder.is_dir():
        with tarfile.open(data / "images.tar") as tar:
            tar.extractall(out / "half", filter="data")
        (out / "half" / "images").replace(folder)
    return folder


def write_captions(data: Path, collection: Path) -> None:
    """`<photo>#<n> <sentence>` by split, as hybrid_space wants them."""
    captions: dict[str, list[str]] = {}
    with (data / "captions.txt").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            captions.setdefault(row["image"], []).append(row["caption"].strip())
    (collection / "TextData").mkdir(parents=True, exist_ok=True)
    for theirs, ours in SPLITS.items():
        names = (data / f"Flickr_8k.{theirs}Images.txt").read_text().split()
        lines = [
            f"{Path(name).stem}#{number} {text}\n"
            for name in names
            for number, text in enumerate(captions.get(name, []))
        ]
        path = collection / "TextData" / f"flickr8k{ours}.caption.txt"
        path.write_text("".join(lines), encoding="utf-8")


def figures(report: Report) -> dict[str, object]:
    low, high = report.intervals["t2v R@1"]
    rounded = {
        f"{way} {name}": round(found[name], 1)
        for way, found in (("t2v", report.t2v), ("v2t", report.v2t))
        for name in ("R@1", "R@5", "R@10", "SumR")
    }
    between = {name: [round(v, 1) for v in report.intervals[f"{name} SumR"]] for name in ("t2v",)}
    return {**rounded, "t2v R@1 interval": [round(low, 1), round(high, 1)], "SumR": between}


def report_of_head(head: Any, reader: StoredClips, test: Split) -> Report:
    """The report of a model that reads pictures; the features are those of its own frame
    network."""
    gallery, clips = gallery_of(test.pairs)
    text = encode_texts(head, [pair.caption for pair in test.pairs])
    with torch.inference_mode():
        batches = clip_batches(reader, clips, 64)
        video = torch.cat([head.pool_frames(frames, mask) for frames, mask in batches])
    card = card_of(head, reader, test, gallery, Named("flickr8k", "test"))
    return retrieval_report(similarity(head, text, video), test.pairs, gallery, card)


def time_ratio(model: Any, small: Any, reader: StoredClips, test: Split, count: int) -> float:
    """Time of `count` texts and clips through int8 layers, over that of the model as it is."""
    pairs = test.pairs[:: len(test.pairs) // count][:count]
    features = torch.from_numpy(np.stack([reader.read(pair) for pair in pairs]))  # (B, 1, F)
    tokens, mask = model.tokenize([p.caption for p in pairs]), torch.ones(count, 1).bool()

    def both(one: Any) -> None:
        with torch.inference_mode():
            one.encode_text(tokens)
            one.encode_video(features, mask)

    torch.set_num_threads(1)
    times = latencies({"whole": lambda: both(model), "small": lambda: both(small)}, 51)
    return round(statistics.median(times["small"]) / statistics.median(times["whole"]), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=cache_folder() / "bench-flickr8k")
    given = parser.parse_args()
    data, collection = given.data / "flickr8k", given.out / "flickr8k"
    start = time.monotonic()
    folder = collection / "FeatureData" / "lite"
    make_features([str(photos(data, given.out))], "lite", folder, FeatureOptions(photos=True))
    encoding = time.monotonic() - start
    write_captions(data, collection)
    test = Config(folder=given.out, collection="flickr8k").read("test")
    torch.manual_seed(0)
    head = open_model("lite", device="cpu")
    with StoredClips([folder], None) as reader:
        found = {"lite's head": figures(report_of_head(head, reader, test))}
    seconds = {}
    for method in METHODS:
        recipe = read_recipe(f"flickr8k/{method}")
        start = time.monotonic()
        trained = run_recipe(recipe, RunPlace(out=given.out / "runs" / method, data=given.out))
        seconds[method] = round(time.monotonic() - start)
        report = trained.report
        if not isinstance(report, Report):
            raise TypeError(f"{method} gave no figures of retrieval")
        found[method] = figures(report)
    model = open_model(str(given.out / "runs" / METHODS[0]), device="cpu")
    small: Any = quantize(model)
    with StoredClips([folder], None) as reader:
        report = evaluate(small, reader, test, Named("flickr8k", "test"))
        found["int8 layers"] = figures(report) | {
            f"time of {count}": time_ratio(model, small, reader, test, count)
            for count in (1, 8, 64)
        }
    emit("Dual Encoding on photos", seconds=seconds, encoding=round(encoding), **found)


if __name__ == "__main__":
    main()
