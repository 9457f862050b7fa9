"""Tells which models are trained by their vectors alone."""

from typing import TypeGuard

from reeltune.types import Contrasted


def is_contrasted(model: object) -> TypeGuard[Contrasted]:
    """Whether vectors are all that the losses of a model need.

    A subclass that overrides only `losses` has losses that its `vector_losses` does not know.
    """
    if not (isinstance(model, Contrasted) and hasattr(model, "logit_scale")):
        return False
    order = type(model).__mro__
    first = [
        next((place for place, one in enumerate(order) if name in vars(one)), len(order))
        for name in ("vector_losses", "losses")
    ]
    return first[0] <= first[1]
