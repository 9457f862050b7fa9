"""Masked language modelling: which words are hidden, and what guessing them costs (BERT)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor
from torch.nn import functional as F

from reeltune.ranks.ranks import sharing

IGNORED = -1  # label of a word that need not be guessed


@dataclass(frozen=True)
class Masked:
    """Texts with words hidden; `labels` hold the true ids of those, and `IGNORED` elsewhere."""

    ids: Int[Tensor, "B L"]
    labels: Int[Tensor, "B L"]


def mask_words(
    ids: Int[Tensor, "B L"],
    maskable: Bool[Tensor, "B L"],
    mask_id: int,
    vocabulary: int,
    chance: float = 0.15,
    source: Generator | None = None,
) -> Masked:
    """Choose each maskable word with `chance`; a text that has any gets at least one.

    Of the chosen, 80 % become `mask_id`, 10 % a word drawn from the whole vocabulary, 10 % stay.
    Drawn on the CPU from `source`, torch's own generator without one, so a seed means the same
    on every device.
    """
    device = ids.device
    ids, maskable = ids.cpu(), maskable.cpu()
    chosen = choose(maskable, chance, source)
    kind = torch.rand(ids.shape, generator=source)
    others = torch.randint(vocabulary, ids.shape, generator=source)
    masked = torch.where(chosen & (kind < 0.8), torch.full_like(ids, mask_id), ids)
    masked = torch.where(chosen & (kind >= 0.8) & (kind < 0.9), others, masked)
    labels = torch.where(chosen, ids, torch.full_like(ids, IGNORED))
    return Masked(masked.to(device), labels.to(device))


def choose(
    places: Bool[Tensor, "B L"], chance: float, source: Generator | None = None
) -> Bool[Tensor, "B L"]:
    """Each true place with `chance`, drawn again for a row until it has at least one of them."""
    chosen = torch.zeros_like(places)
    empty = places.any(dim=1)  # (B,)
    while empty.any():
        drawn = places & (torch.rand(places.shape, generator=source) < chance)
        chosen = torch.where(empty[:, None], drawn, chosen)
        empty = places.any(dim=1) & ~chosen.any(dim=1)
    return chosen


def masked_language(
    logits: Float[Tensor, "B L V"], labels: Int[Tensor, "B L"]
) -> Float[Tensor, ""]:
    """Mean cross-entropy over the words to be guessed; 0 where there is none."""
    guesses, wanted = logits.flatten(0, 1), labels.flatten()
    summed = F.cross_entropy(guesses, wanted, ignore_index=IGNORED, reduction="sum")
    return sharing().share_of_mean(summed, (wanted != IGNORED).sum())
