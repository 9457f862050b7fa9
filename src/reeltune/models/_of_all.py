"""What encoders made of the rows of all processes that share a batch."""

from dataclasses import replace
from typing import Any, TypeVar

from reeltune.ranks.ranks import sharing

Read = TypeVar("Read", bound=Any)  # a dataclass of `states` (B, L, ...) and their `mask` (B, L)


def of_all(read: Read) -> Read:
    """The rows of all processes, in the order of ranks, padded to the longest of them."""
    ranks = sharing()
    states, mask = ranks.gather_padded(read.states), ranks.gather_padded(read.mask)
    found: Read = read if ranks.world == 1 else replace(read, states=states, mask=mask)
    return found
