"""Wrong pairs that look right: drawn in proportion to how alike a model finds them (ALBEF,
2107.07651, section 3.2)."""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

NONE = -1  # of a row that has no wrong answer


def draw_hard_negatives(
    logits: Float[Tensor, "R B"],
    video: Int[Tensor, " B"],
    source: Generator | None = None,
    first: int = 0,
) -> Int[Tensor, " R"]:
    """For each row a column that shows another video, `NONE` where every column shows its own.

    Column j of row i is drawn with the chance of softmax of row i over the columns that are left.
    Drawn on the CPU from `source`, torch's own generator without one, so a seed means the same on
    every device. Row i of the logits is row `first` + i of B.
    """
    own = video[first : first + len(logits)]
    wrong = (own[:, None] != video).cpu()  # (R, B)
    any_wrong = wrong.any(dim=1)
    scores = logits.detach().double().cpu().masked_fill(~wrong, float("-inf"))
    scores[~any_wrong] = 0.0
    drawn = torch.multinomial(scores.softmax(dim=1), 1, generator=source).squeeze(1)
    return torch.where(any_wrong, drawn, NONE).to(logits.device)
