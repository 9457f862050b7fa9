"""Beam search: the sentences that a model of the next word finds likely."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from reeltune.errors import ConfigError


@dataclass(frozen=True)
class Beams:
    """Of each row the best sentences, best first, each with its start; `scores` are logarithms."""

    ids: Int[Tensor, "B K L"]
    scores: Float[Tensor, "B K"]


def beam_search(
    next_word: Callable[[Tensor, Tensor], Tensor],
    count: int,
    start: int,
    end: int,
    *,
    beams: int = 5,
    longest: int = 48,
) -> Beams:
    """Sentences of at most `longest` words after `start` for each of `count` rows.

    `next_word(ids, rows)` gives logarithms of chances (R, V) for R sentences so far (R, l), the
    r-th of which belongs to row `rows[r]`. A score is the sum over words, `end` among them, with
    no reward for length. A sentence that has ended stays as it is (in the release of UniVL it
    goes on growing unless it is the best). A row is done when its best sentence has ended: a
    longer one can only be less likely.
    """
    if beams < 1 or longest < 1:
        raise ConfigError(f"beams is {beams} and longest is {longest}; both must be at least 1")
    ids = torch.full((count, 1, 1), start)  # (B, K, l)
    scores = torch.zeros(count, 1, dtype=torch.float64)  # (B, K)
    done = torch.zeros(count, dtype=torch.bool)
    for _ in range(longest):
        live = (~done).nonzero().squeeze(1)
        if len(live) == 0:
            break
        grown, found = _grow(next_word, ids[live], scores[live], live, end, beams)
        kept = grown.shape[1]
        ids, scores = _room(ids, scores, kept, end)
        ids[live], scores[live] = grown, found
        done[live] = grown[:, 0, -1] == end
    return Beams(ids, scores)


def _grow(
    next_word: Callable[[Tensor, Tensor], Tensor],
    ids: Tensor,
    scores: Tensor,
    rows: Tensor,
    end: int,
    beams: int,
) -> tuple[Tensor, Tensor]:
    """One word more for the best continuations of the sentences of each row."""
    here, kept, length = ids.shape
    chances = next_word(ids.flatten(0, 1), rows.repeat_interleave(kept)).cpu().double().clone()
    over = (ids[..., -1] == end).flatten() if length > 1 else torch.zeros(len(chances)).bool()
    chances[over] = float("-inf")
    chances[over, end] = 0.0  # what has ended goes on as it is
    width = chances.shape[1]
    total = (scores.flatten()[:, None] + chances).view(here, kept * width)
    best, place = total.topk(min(beams, kept * width), dim=1)  # (B, K)
    before = torch.take_along_dim(ids, (place // width)[..., None], dim=1)
    return torch.cat([before, (place % width)[..., None]], dim=2), best


def _room(ids: Tensor, scores: Tensor, kept: int, end: int) -> tuple[Tensor, Tensor]:
    """Space for `kept` sentences of one word more; rows that are done end with `end` again."""
    count, had, length = ids.shape
    wider = torch.full((count, kept, length + 1), end)
    wider[:, :had, :length] = ids
    better = scores.new_full((count, kept), float("-inf"))
    better[:, :had] = scores
    return wider, better
