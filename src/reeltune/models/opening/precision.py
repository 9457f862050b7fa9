"""Chooses the precision in which a model reads frames: float32, or bfloat16 where that is measured
to be faster on this processor and as good."""

import os
import time
from dataclasses import dataclass
from typing import Protocol, Self, get_args, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from reeltune.errors import ConfigError
from reeltune.records import Precision
from reeltune.types import DualEncoder, FrameEncoder

VARIABLE = "REELTUNE_PRECISION"  # what new libraries have; auto where it is not set
FRAMES = 4  # of one pass
ROUNDS, ENOUGH = 3, 1.0  # passes that are timed, no more of which begin after so many seconds
SMALL = 0.005  # s a frame, from which on it is worthwhile to ask
FASTER = 1.2  # times as fast as float32 is what bfloat16 must be
ALIKE = 0.999  # least cosine of its vectors with those of float32


@runtime_checkable
class Roundable(DualEncoder, Protocol):
    """A dual encoder whose reading of frames can be rounded, and that of texts stays as it is."""

    def rounded(self) -> Self:
        """A model that reads frames in bfloat16, and else is this one, whose weights it shares."""
        ...


@dataclass(frozen=True)
class Chosen:
    """A model that reads frames in this precision, and why, in a sentence if there is one."""

    model: DualEncoder
    precision: Precision
    said: str = ""


def in_precision(model: DualEncoder, kept: Precision | None) -> Chosen:
    """The model in the precision that a library has, or, for a new one (None), in the best.

    $REELTUNE_PRECISION may settle that: float32, bfloat16 or auto. Raises ConfigError for another
    value, and where a library is in bfloat16 and its model has no such form.
    """
    wanted = kept or _wished()
    if wanted == "float32" or (wanted is None and not _computes_bfloat16(model)):
        return Chosen(model, "float32")
    if not isinstance(model, Roundable):
        if wanted is not None:
            raise ConfigError(
                f"frames are to be read in bfloat16, and {model.name} has no such form; "
                f"set {VARIABLE}=float32, and make a library that is in bfloat16 anew"
            )
        return Chosen(model, "float32")
    if wanted is None:
        return _compared(model)
    said = "" if _computes_bfloat16(model) else slow(model.name)
    return Chosen(model.rounded(), "bfloat16", said)


def slow(name: str) -> str:
    """What is said where a library is in bfloat16 and this processor is no good at it."""
    return (
        f"{name} reads frames in bfloat16, as when the library was made, and this processor "
        "computes that slowly; to have it in float32: "
        f"reeltune library reindex LIBRARY --model {name}"
    )


def _wished() -> Precision | None:
    """What the environment says."""
    given = os.environ.get(VARIABLE, "auto")
    for precision in get_args(Precision):
        if given == precision:
            return precision
    if given != "auto":
        raise ConfigError(
            f"REELTUNE_PRECISION is {given!r}, and it may be auto, "
            f"{' or '.join(get_args(Precision))}"
        )
    return None


def _computes_bfloat16(model: DualEncoder) -> bool:
    """Whether the processor has instructions for bfloat16 and the model runs on it."""
    has = (torch.cpu._is_avx512_bf16_supported, torch.cpu._is_amx_tile_supported)
    return _device_of(model).type == "cpu" and any(one() for one in has)


def _device_of(model: object) -> torch.device:
    weights = model.parameters() if isinstance(model, torch.nn.Module) else iter(())
    first = next(weights, None)
    return torch.device("cpu") if first is None else first.device


def _compared(model: Roundable) -> Chosen:
    """The faster of the two forms, unless what the rounded one makes is too far from the other.

    Time is that of the processor, whatever else the machine does.
    """
    frames = _pictures(model.pixels.size)
    _vectors(model, frames[:1])  # warms up
    began = time.process_time()
    wanted = _vectors(model, frames)
    if time.process_time() - began < SMALL * FRAMES:
        return Chosen(model, "float32")
    rounded = model.rounded()
    cosine = F.cosine_similarity(wanted, _vectors(rounded, frames), dim=1).min().item()
    took: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    began = time.process_time()
    while len(took["float32"]) < ROUNDS and time.process_time() - began < ENOUGH:
        for name, one in (("float32", model), ("bfloat16", rounded)):
            start = time.process_time()
            _vectors(one, frames)
            took[name].append(time.process_time() - start)
    faster = min(took["float32"]) / min(took["bfloat16"])
    if faster < FASTER or not cosine >= ALIKE:
        return Chosen(model, "float32")
    said = (
        f"{model.name} reads frames in bfloat16, {faster:.1f} times as fast as float32 here "
        f"(cosine {cosine:.4f}); {VARIABLE}=float32 makes a library without it"
    )
    return Chosen(rounded, "bfloat16", said)


@torch.inference_mode()
def _vectors(model: DualEncoder, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
    """The vector of each frame as a video of its own."""
    there = torch.ones(len(frames), 1, dtype=torch.bool)
    if isinstance(model, FrameEncoder):
        return model.pool_frames(model.encode_frames(frames)[:, None], there).float()
    return model.encode_video(frames[:, None], there).float()


def _pictures(side: int) -> UInt8[Tensor, "B 3 S S"]:
    """Soft blots of colour, which rounding changes as much as it does pictures; noise hides it."""
    blots = torch.rand(FRAMES, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    return F.interpolate(blots, (side, side), mode="bilinear").mul(255).byte()
