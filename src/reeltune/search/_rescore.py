"""Models whose own score of a text and a moment is more than the cosine that is indexed."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from reeltune.types import DualEncoder

AT_ONCE = 4096  # moments scored together, to bound memory
DIGITS = 9  # after the point; what float64 is wrong by must not decide between equal moments

Score = Callable[[Float[np.ndarray, "M D"]], Float[np.ndarray, " M"]]


def indexed_columns(model: "DualEncoder") -> int:
    """How many columns of a vector are indexed, from the first on."""
    from reeltune.types import Rescored

    return model.indexed if isinstance(model, Rescored) else model.dim


def score_of(model: "DualEncoder", text: Float[np.ndarray, " D"]) -> Score:
    """The model's similarity of one text, as a function of the whole vectors of moments."""
    import torch  # late, as few models have a score of their own

    query = torch.from_numpy(text).double()[None]  # (1, D)

    @torch.inference_mode()
    def score(moments: Float[np.ndarray, "M D"]) -> Float[np.ndarray, " M"]:
        parts = torch.from_numpy(moments).split(AT_ONCE)
        scores = torch.cat([model.similarity(query, part.double())[0] for part in parts])
        return np.round(scores.numpy(), DIGITS)

    return score
