"""How many frames a second does a CLIP take whose image tower merges tokens, beside plain CLIP?

B/32 and B/16 of full size with random weights, which take as long as trained ones, in float32 on
the CPU: plain, with tokens of each frame merged (`Clip.merge`), and TempMe as released, with and
without its low-rank updates, which joins 12 frames of a clip to one. Forms take turns, and figures
are medians of processor time, since other programs run as well.
"""

import argparse
import time
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from _line import emit
from reeltune.models import clip, tempme

QUICK = ["--patches", "32", "--rounds", "2"]
FIGURES = {
    "*/merge_2": ("higher", "beside plain CLIP, 2 tokens of a frame merged in each layer"),
    "*/merge_4": ("higher", "beside plain CLIP, 4 tokens"),
    "*/merge_8": ("higher", "beside plain CLIP, 8 tokens"),
    "*/merge_16": ("higher", "beside plain CLIP, 16 tokens"),
    "*/tempme": ("higher", "beside plain CLIP, TempMe as released"),
    "*/tempme_without_updates": ("higher", "beside plain CLIP, TempMe's merging alone"),
    "*/plain": ("higher", "frames per second of plain CLIP"),
}
FRAMES = 12  # of a clip
MERGED = {32: (2, 4), 16: (2, 8, 16)}


def forms(patch: int) -> dict[str, nn.Module]:
    """Every form of a CLIP by the name of its figure; all share what they can."""
    config = clip.Config(patch=patch)
    base = config.build()
    made: dict[str, nn.Module] = {"plain": base}
    for tokens in MERGED[patch]:
        other = clip.Clip(base.towers, base.tokenizer, base.preprocessor)
        other.merge(tokens)
        made[f"merge_{tokens}"] = other.eval()
    bare = tempme.Config(base=None, architecture=config, rank=0, positions=False)
    made["tempme_without_updates"] = tempme.TempMe(bare, base).eval()
    made["tempme"] = tempme.Config(base=None, architecture=config).build()
    return made


def seconds(model: Any, frames: Tensor, there: Tensor) -> float:
    """Processor time of reading the clips."""
    start = time.process_time()
    model.encode_video(frames, there)
    return time.process_time() - start


def rates(patch: int, rounds: int) -> dict[str, float]:
    """Frames a second of plain CLIP, and those of the other forms as a share of it."""
    models = forms(patch)
    frames = torch.randint(0, 256, (2, FRAMES, 3, 224, 224), dtype=torch.uint8)
    there = torch.ones(2, FRAMES, dtype=torch.bool)
    took: dict[str, list[float]] = {name: [] for name in models}
    with torch.inference_mode():
        for number in range(rounds + 1):
            for name, model in models.items():
                spent = seconds(model, frames, there)
                if number:  # the first round warms up
                    took[name].append(spent)
    plain = took["plain"]
    found = {"plain": round(2 * FRAMES / median(plain), 2)}
    for name, times in took.items():
        if name != "plain":
            ratios = [a / b for a, b in zip(plain, times, strict=True)]
            found[name] = round(median(ratios), 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, nargs="+", choices=MERGED, default=[*MERGED])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    torch.manual_seed(0)
    figures = {f"b{patch}": rates(patch, asked.rounds) for patch in asked.patches}
    emit(
        "frames per second of CLIP with merged tokens, as a share of plain CLIP's",
        **figures,
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main()
