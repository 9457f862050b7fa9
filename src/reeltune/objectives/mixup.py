"""Mixup (Zhang et al., 1710.09412): pictures laid over each other, with the labels of both."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from reeltune.objectives.answering import answering


class Mixed(NamedTuple):
    """Each picture with `share` of itself and the rest of another."""

    pictures: Float[Tensor, "N C S S"]
    label: Int[Tensor, " N"]
    other: Int[Tensor, " N"]  # label of the picture laid over it
    share: float


def mix(pictures: Float[Tensor, "N C S S"], label: Int[Tensor, " N"], alpha: float) -> Mixed:
    """Pictures in pairs drawn at random, all with one share from Beta(alpha, alpha).

    Both are drawn from torch's global generator, on the CPU.
    """
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    pairs = torch.randperm(len(pictures)).to(pictures.device)
    laid = share * pictures + (1 - share) * pictures[pairs]
    return Mixed(laid, label, label[pairs.to(label.device)], share)


def mixup(scores: Float[Tensor, "N K"], mixed: Mixed) -> Float[Tensor, ""]:
    """Cross entropy with both labels, by their shares; a label of -1 is not known."""
    own, other = (answering(scores, label) for label in (mixed.label, mixed.other))
    return mixed.share * own + (1 - mixed.share) * other
