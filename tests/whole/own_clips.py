"""A few clips of Toybox as a person's own videos, in the splits that a test wants."""

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reeltune.data.toybox import Config
from reeltune.recipes.recipe import Recipe


def write_own(folder: Path, sizes: Mapping[str, int], captions: int = 4) -> Path:
    """As many videos in each split as `sizes` says, those of training with that many captions."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [
        pair for part in ("train", "val", "test") for pair in Config(size="tiny").read(part).pairs
    ]
    of_video: dict[str, list[str]] = {}
    paths = {pair.video: pair.path for pair in pairs}
    for pair in pairs:
        of_video.setdefault(pair.video, []).append(pair.caption)
    parts = [part for part, count in sizes.items() for _ in range(count)]
    with (folder / "captions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "caption", "split"])
        for part, (video, texts) in zip(parts, of_video.items(), strict=False):
            shutil.copy(paths[video], folder / paths[video].name)
            writer.writerows(
                [paths[video].name, text, part]
                for text in texts[: captions if part == "train" else 1]
            )
    return folder


def own_recipe(**changes: Any) -> Recipe:
    """VoP on own clips: four frames, one epoch of batches of four."""
    fields: dict[str, Any] = {
        "name": "own/vop",
        "dataset": "folder",
        "frames": 4,
        "component": "vop",
        "config": {"base": "tiny-clip", "frames": 4},
        "training": {"epochs": 2, "batch": 4},
    }
    return Recipe(**(fields | changes))


def own_dual_encoding(**changes: Any) -> Recipe:
    """Dual Encoding on features of tiny-clip, with concepts."""
    sizes = {"embedding": 8, "hidden": 8, "filters": 8, "latent": 16, "concepts": 5}
    fields: dict[str, Any] = {
        "component": "dual-encoding",
        "config": {"encoder": "tiny-clip", "features": 96, **sizes},
        "features": {},
        "words": {"at_least": 1},
        "frames": 12,
    }
    return own_recipe(**(fields | changes))
