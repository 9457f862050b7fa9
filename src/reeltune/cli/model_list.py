"""What `reeltune models` shows: the presets, and how fast those are that are here."""

import time
from typing import Any

import torch
from rich.table import Table

from reeltune.models.opening.open import open_encoder
from reeltune.models.opening.presets import presets
from reeltune.types import DualEncoder

FRAMES, TEXTS = 32, 8  # encoded to measure a model's speed
WORDS = "a man plays the guitar on a stage"


def model_list(measured: bool, device: str | None = None) -> list[dict[str, Any]]:
    """Facts of each preset in plain types; with `measured`, its speed where it is here."""
    return [
        {
            "name": name,
            **preset.model_dump(mode="json"),
            "here": preset.is_here,
            "speed": _speed(preset.model, device) if measured and preset.is_here else None,
        }
        for name, preset in presets().items()
    ]


def model_table(found: list[dict[str, Any]]) -> Table:
    """The facts as a table for a terminal."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("name", "here", "MB", "licence", "languages", "what is known of it"):
        table.add_column(name, overflow="fold")
    for one in found:
        figures = [f"{f['what']} {f['value']:g} ({f['source']})" for f in one["figures"]]
        speed = one["speed"]
        said = [f"{speed['frames_per_second']:g} frames a second"] if speed else []
        size = "?" if one["download_mb"] is None else str(one["download_mb"])
        known = "; ".join([one["says"], *figures, *said, one["model"]])
        here = "yes" if one["here"] else "no"
        table.add_row(one["name"], here, size, one["licence"], one["languages"], known)
    return table


def _speed(name: str, device: str | None) -> dict[str, float]:
    model = open_encoder(name, device)
    side = model.pixels.size
    frames = torch.randint(0, 256, (1, FRAMES, 3, side, side), dtype=torch.uint8)
    _seconds_of(model, frames[:, :2], 1)  # whatever is made at the first call
    seeing, reading = _seconds_of(model, frames, TEXTS)
    return {
        "frames_per_second": round(FRAMES / seeing, 1),
        "texts_per_second": round(TEXTS / reading, 1),
    }


@torch.inference_mode()
def _seconds_of(model: DualEncoder, frames: torch.Tensor, texts: int) -> tuple[float, float]:
    begun = time.perf_counter()
    model.encode_video(frames, torch.ones(frames.shape[:2], dtype=torch.bool)).cpu()
    seen = time.perf_counter()
    model.encode_text(model.tokenize([WORDS] * texts)).cpu()
    return seen - begun, time.perf_counter() - seen
