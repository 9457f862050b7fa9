"""The interface of schemes, which lead from a bilevel problem to the gradient by MELTR's
parameters."""

from collections.abc import Callable
from dataclasses import dataclass

from reeltune.meltr.hypergradient import Hypergradient, Problem
from reeltune.registry import find


@dataclass(frozen=True)
class Scheme:
    """How the hypergradient is computed, and how many training batches that takes."""

    name: str
    hypergradient: Callable[[Problem], Hypergradient]
    batches: int = 1  # 0: nothing is learned
    curves: bool = True  # whether it takes products with the Hessian


def scheme_of(given: str | Scheme) -> Scheme:
    """A scheme as it is, or that of a name of meltr/schemes with its default options."""
    if isinstance(given, Scheme):
        return given
    made: Scheme = find("meltr.schemes", given).Config().build()
    return made
