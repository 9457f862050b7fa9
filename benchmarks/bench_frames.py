"""How many frames a second does lite's frame network take, and CLIP ViT-B/32 beside it?

Both on the CPU in float32 with all cores, interleaved, medians of seven rounds. CLIP has random
weights, which take as long as trained ones.
"""

import time
from collections.abc import Callable
from statistics import median

import torch

from _line import emit
from reeltune.models._lite.frame_network import FrameNetwork
from reeltune.models.clip import Config

QUICK: list[str] = []
FIGURES = {
    "lite_to_clip": ("higher", "beside CLIP ViT-B/32 in float32, frames per second"),
    "lite": ("higher", "frames per second of lite"),
}

FRAMES, ROUNDS = 32, 7


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    network, clip = FrameNetwork(), Config().build()
    frames = {size: torch.randint(0, 256, (FRAMES, 3, size, size)).byte() for size in (260, 224)}
    took: dict[str, list[float]] = {"lite": [], "clip": []}
    with torch.inference_mode():
        for number in range(ROUNDS + 1):
            lite = seconds(lambda: network(frames[260]))
            vit = seconds(lambda: clip.encode_frames(frames[224]))
            if number:  # the first round warms up
                took["lite"].append(lite)
                took["clip"].append(vit)
    emit(
        "frames per second of the frame networks",
        lite=round(FRAMES / median(took["lite"]), 1),
        clip_vit_b32=round(FRAMES / median(took["clip"]), 1),
        lite_to_clip=round(median(took["clip"]) / median(took["lite"]), 2),
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main()
