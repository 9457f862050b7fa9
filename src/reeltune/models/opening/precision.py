"""Chooses the precision in which a model reads frames: float32, or a coarser one where that is
measured to be faster on this processor and as good."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, get_args, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from reeltune.errors import ConfigError
from reeltune.nn.int8_narrow import multiplies_exactly
from reeltune.records import Precision
from reeltune.types import DualEncoder, FrameEncoder, Pixels

VARIABLE = "REELTUNE_PRECISION"  # what new libraries have; auto where it is not set
ROUNDS, ENOUGH = 3, 2.0  # passes that are timed, no more of which begin after so many seconds
SMALL = 0.005  # s a frame, from which on it is worthwhile to ask
FASTER = 1.2  # times as fast as float32 is what another precision must be
ALIKE = 0.999  # least cosine of its vectors with those of float32
Pictures = Callable[[Pixels], UInt8[Tensor, "B 3 S S"]]


@runtime_checkable
class Roundable(DualEncoder, Protocol):
    """A dual encoder whose reading of frames can be rounded, and that of texts stays as it is."""

    roundings: tuple[Precision, ...]  # in which it can read frames beside float32

    def rounded(self, precision: Precision) -> Self:
        """A model that reads frames in this precision, and else is this one, whose weights it
        shares."""
        ...


@dataclass(frozen=True)
class Chosen:
    """A model that reads frames in this precision, and why, in a sentence if there is one."""

    model: DualEncoder
    precision: Precision
    said: str = ""


def in_precision(model: DualEncoder, kept: Precision | None, pictures: Pictures) -> Chosen:
    """The model in the precision that a library has, or, for a new one (None), in the best: of
    those that the processor is good at, the fastest that leaves vectors of `pictures` alike.

    $REELTUNE_PRECISION may settle that: float32, bfloat16, int8 or auto. Raises ConfigError for
    another value, and where a library is in a precision of which its model has no form.
    """
    wanted = kept or _wished()
    if wanted == "float32":
        return Chosen(model, wanted)
    roundable = model if isinstance(model, Roundable) else None
    forms = roundable.roundings if roundable else ()
    if roundable and wanted is None:
        tried = [form for form in forms if _is_good_at(form, model)]
        return _compared(roundable, tried, pictures) if tried else Chosen(model, "float32")
    if wanted is None:
        return Chosen(model, "float32")
    if roundable is None or wanted not in forms:
        raise ConfigError(
            f"frames are to be read in {wanted}, and {model.name} has no such form; "
            f"set {VARIABLE}=float32, and make a library that is in {wanted} anew"
        )
    said = "" if _is_good_at(wanted, model) else slow(model.name, wanted)
    return Chosen(roundable.rounded(wanted), wanted, said)


def slow(name: str, precision: Precision) -> str:
    """What is said where a library is in a precision that this processor is no good at."""
    return (
        f"{name} reads frames in {precision}, as when the library was made, and this processor "
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


def _is_good_at(precision: Precision, model: DualEncoder) -> bool:
    """Whether the model runs on the processor, and that has what this precision needs."""
    if _device_of(model).type != "cpu":
        return False
    if precision == "int8":
        return multiplies_exactly()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _device_of(model: object) -> torch.device:
    weights = model.parameters() if isinstance(model, torch.nn.Module) else iter(())
    first = next(weights, None)
    return torch.device("cpu") if first is None else first.device


def _compared(model: Roundable, tried: Sequence[Precision], pictures: Pictures) -> Chosen:
    """The fastest of the forms that is enough faster than float32 and near enough to it; the model
    itself where none is.

    Time is that of the processor, whatever else the machine does.
    """
    frames = pictures(model.pixels)
    _vectors(model, frames[:1])  # warms up
    wanted, took = _timed(model, frames)
    best = Chosen(model, "float32")
    if took < SMALL * len(frames):
        return best
    most = FASTER
    for precision in tried:
        form = model.rounded(precision)
        _vectors(form, frames[:1])
        found, own = _timed(form, frames)
        cosine = F.cosine_similarity(wanted, found, dim=1).min().item()
        if not cosine >= ALIKE:
            continue
        faster = _ratio(model, form, frames, (took, own))
        if faster >= most:
            said = (
                f"{model.name} reads frames in {precision}, {faster:.1f} times as fast as float32 "
                f"here (cosine {cosine:.4f}); {VARIABLE}=float32 makes a library without it"
            )
            best, most = Chosen(form, precision, said), faster
    return best


def _ratio(
    model: DualEncoder,
    form: DualEncoder,
    frames: UInt8[Tensor, "B 3 S S"],
    first: tuple[float, float],
) -> float:
    """How many times as fast a form is; each has been timed once, and they take turns."""
    took = [first]
    while len(took) < ROUNDS and sum(map(sum, took)) < ENOUGH:
        took.append((_timed(model, frames)[1], _timed(form, frames)[1]))
    slow, fast = (min(times) for times in zip(*took, strict=True))
    return slow / fast


def _timed(
    model: DualEncoder, frames: UInt8[Tensor, "B 3 S S"]
) -> tuple[Float[Tensor, "B D"], float]:
    """Vectors, and seconds of the processor."""
    began = time.process_time()
    found = _vectors(model, frames)
    return found, time.process_time() - began


@torch.inference_mode()
def _vectors(model: DualEncoder, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
    """The vector of each frame as a video of its own."""
    there = torch.ones(len(frames), 1, dtype=torch.bool)
    if isinstance(model, FrameEncoder):
        return model.pool_frames(model.encode_frames(frames)[:, None], there).float()
    return model.encode_video(frames[:, None], there).float()
