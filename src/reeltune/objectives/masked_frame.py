"""Masked frame modelling: pick the hidden frame among all frames of the batch (UniVL, HERO)."""

from jaxtyping import Bool, Float
from torch import Generator, Tensor
from torch.nn import functional as F

from reeltune.objectives.masked_language import choose
from reeltune.ranks.ranks import sharing


def mask_frames(
    mask: Bool[Tensor, "B T"], chance: float = 0.15, source: Generator | None = None
) -> Bool[Tensor, "B T"]:
    """Frames to hide: each real one with `chance`, at least one in a video that has any.

    Drawn on the CPU from `source`, torch's own generator without one.
    """
    return choose(mask.cpu(), chance, source).to(mask.device)


def masked_frame(
    guess: Float[Tensor, "B T F"],
    truth: Float[Tensor, "N M F"],
    mask: Bool[Tensor, "N M"],
    hidden: Bool[Tensor, "B T"],
    first: int = 0,
) -> Float[Tensor, ""]:
    """Mean over hidden frames of the cross-entropy of the true frame among all real frames.

    A logit is the product of a guess and a frame as it truly is; `mask` is true at real frames.
    0 where no frame is hidden. The first of B rows is row `first` of the N whose frames are picked
    among.
    """
    logits = guess[hidden] @ truth.flatten(0, 1).T  # (hidden frames, B T)
    logits = logits.masked_fill(~mask.flatten(), float("-inf"))
    row, time = hidden.nonzero(as_tuple=True)
    place = (first + row) * truth.shape[1] + time  # (hidden frames,)
    summed = F.cross_entropy(logits, place, reduction="sum")
    return sharing().share_of_mean(summed, len(place))
