"""Token merging (ToMe, Bolya et al., 2210.09461, ICLR 2023): alike tokens of a sequence become one.

Tokens at even places of a sequence are compared with those at odd places. The pairs that are most
alike are merged: the even token goes into the odd one, as a mean in which each counts as often as
there are tokens in it, its size. Attention adds the logarithm of its size to a token's logits, so
that it is attended to as all of its tokens would be.

The first `classes` tokens are never merged. What is left stands in this order: these, the even
tokens that stay, the odd ones.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Matching:
    """Which of the even tokens E of each sequence are merged, and into which of the odd ones O."""

    classes: int  # tokens in front that are left alone
    kept: Int[Tensor, "N K"]  # even tokens that stay, ascending
    merged: Int[Tensor, "N C"]  # those that are merged, the most alike first
    into: Int[Tensor, "N C"]  # the odd token of each of them


def most(tokens: int, classes: int) -> int:
    """The largest number of tokens that are merged at once: half of those that may be."""
    return (tokens - classes) // 2


@torch.no_grad()
def match(metric: Float[Tensor, "N M W"], classes: int, count: int) -> Matching:
    """The `count` pairs of largest cosine in `metric`; of equal ones the first."""
    exact = metric.to(torch.promote_types(metric.dtype, torch.float32))
    even, odd = _halves(F.normalize(exact, dim=-1), classes)
    alike, into = (even @ odd.mT).max(dim=-1)  # (N, E)
    order = alike.argsort(dim=-1, descending=True, stable=True)
    merged = order[:, :count]
    kept = order[:, count:].sort(dim=-1).values
    return Matching(classes, kept, merged, into.gather(1, merged))


def merge(
    tokens: Float[Tensor, "N M W"], size: Float[Tensor, "N M"], matching: Matching
) -> tuple[Float[Tensor, "N L W"], Float[Tensor, "N L"]]:
    """The tokens that are left, and how many there are in each of them.

    Sums are products with a table of zeros and ones, which are the same at every run on a GPU too.
    """
    classes = matching.classes
    (even, odd), (even_size, odd_size) = _halves(tokens, classes), _halves(size, classes)
    table = F.one_hot(matching.into, odd_size.shape[1]).to(size.dtype).mT  # (N, O, C)
    share = even_size.gather(1, matching.merged)  # (N, C)
    whole = odd_size + (table @ share[..., None])[..., 0]  # (N, O)
    gone = _taken(even, matching.merged) * share[..., None]  # (N, C, W)
    means = (odd * odd_size[..., None] + table @ gone) / whole[..., None]
    stay = _taken(even, matching.kept)
    left = torch.cat([tokens[:, :classes], stay, means.to(tokens.dtype)], dim=1)
    return left, torch.cat([size[:, :classes], even_size.gather(1, matching.kept), whole], dim=1)


def ones(tokens: Float[Tensor, "*B W"]) -> Float[Tensor, "*B"]:
    """Sizes of tokens that are as they were."""
    exact = torch.promote_types(tokens.dtype, torch.float32)
    return torch.ones(tokens.shape[:-1], dtype=exact, device=tokens.device)


def bias(size: Float[Tensor, "N M"], dtype: torch.dtype) -> Float[Tensor, "N 1 1 M"]:
    """What attention adds to the logits of tokens of this size."""
    return size.log().to(dtype)[:, None, None]


def _halves(sequence: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Tokens at even and at odd places of whole sequences, without the first `classes`."""
    return sequence[:, classes + classes % 2 :: 2], sequence[:, classes + 1 - classes % 2 :: 2]


def _taken(tokens: Tensor, places: Tensor) -> Tensor:
    return tokens.gather(1, places[..., None].expand(-1, -1, tokens.shape[-1]))
