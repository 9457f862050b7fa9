"""Beam search: the sentences that a model of the next word finds likely."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from reeltune.errors import ConfigError


@dataclass(frozen=True)
class Beams:
    """The best sentences of each row, best first, each with its start; `scores` are logarithms."""

    ids: Int[Tensor, "B K L"]
    scores: Float[Tensor, "B K"]


NextWord = Callable[[Tensor, Tensor, Tensor], Tensor]


def beam_search(
    next_word: NextWord,
    count: int,
    start: int,
    end: int,
    *,
    beams: int = 5,
    longest: int = 48,
) -> Beams:
    """Sentences of at most `longest` words after `start` for each of `count` rows.

    `next_word(ids, rows, grown_from)` gives logarithms of chances (R, V) for R sentences so far
    (R, l). The r-th belongs to row `rows[r]`, and is the sentence `grown_from[r]` of the call
    before and one word more, so that what was made of the words before can be kept.

    A score is the sum over words, `end` among them, with no reward for length. A sentence that has
    ended stays as it is (in the release of UniVL it goes on growing unless it is the best). A row
    is done when its best sentence has ended: a longer one can only be less likely.
    """
    if beams < 1 or longest < 1:
        raise ConfigError(f"beams is {beams} and longest is {longest}; both must be at least 1")
    ids = torch.full((count, 1, 1), start)  # (B, K, l)
    scores = torch.zeros(count, 1, dtype=torch.float64)  # (B, K)
    live, grown_from = torch.arange(count), torch.arange(count)[:, None]  # (rows), (rows, K)
    for _ in range(longest):
        if len(live) == 0:
            break
        rows = live.repeat_interleave(ids.shape[1])
        chances = next_word(ids[live].flatten(0, 1), rows, grown_from.flatten())
        grown, found, parents = _grow(chances, ids[live], scores[live], end, beams)
        ids, scores = _room(ids, scores, grown.shape[1], end)
        ids[live], scores[live] = grown, found
        goes_on = grown[:, 0, -1] != end
        live, grown_from = live[goes_on], parents[goes_on]
    return Beams(ids, scores)


def _grow(
    chances: Tensor, ids: Tensor, scores: Tensor, end: int, beams: int
) -> tuple[Tensor, Tensor, Tensor]:
    """One word more for the best continuations of the sentences of each row; with the place that
    each of them had among all sentences before it grew."""
    here, kept, length = ids.shape
    chances = chances.cpu().double().clone()
    over = (ids[..., -1] == end).flatten() if length > 1 else torch.zeros(len(chances)).bool()
    chances[over] = float("-inf")
    chances[over, end] = 0.0  # what has ended goes on as it is
    width = chances.shape[1]
    total = (scores.flatten()[:, None] + chances).view(here, kept * width)
    best, place = total.topk(min(beams, kept * width), dim=1)  # (B, K)
    parent = place // width
    before = torch.take_along_dim(ids, parent[..., None], dim=1)
    grown = torch.cat([before, (place % width)[..., None]], dim=2)
    return grown, best, parent + kept * torch.arange(here)[:, None]


def _room(ids: Tensor, scores: Tensor, kept: int, end: int) -> tuple[Tensor, Tensor]:
    """Space for `kept` sentences of one word more; rows that are done end with `end` again."""
    count, had, length = ids.shape
    wider = torch.full((count, kept, length + 1), end)
    wider[:, :had, :length] = ids
    better = scores.new_full((count, kept), float("-inf"))
    better[:, :had] = scores
    return wider, better
