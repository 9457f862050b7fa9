"""Chooses the step that trains a model, and the order in which it sees its pairs."""

from collections.abc import Sequence
from typing import Any

from reeltune.batches.loader import Order
from reeltune.meltr.step import Meltr
from reeltune.training import distributed
from reeltune.training.contrasted import is_contrasted
from reeltune.training.settings import Settings
from reeltune.training.step import Contrast, Step, Sum
from reeltune.training.weighted import Weighted
from reeltune.types import Pair


def step_of(model: Any, settings: Settings) -> Step:
    """The contrast over all processes for models with a temperature; else the sum of the losses."""
    if is_contrasted(model):
        return Contrast(model, settings.precision, settings.chunk)
    return Sum(model, precision=settings.precision)


def settings_read(model: Any, settings: Settings, melts: bool) -> frozenset[str]:
    """The settings of training that the step of a model reads."""
    if melts:
        return Meltr.reads
    if settings.combine is not None:
        return Weighted.reads
    return Contrast.reads if is_contrasted(model) else Sum.reads


def order_of(pairs: Sequence[Pair], settings: Settings) -> Order:
    """Batches for this process; raises DataError if the pairs fill none."""
    ranks = distributed.start()
    return Order(
        pairs,
        settings.batch,
        settings.seed,
        settings.every_caption,
        ranks.rank,
        ranks.world,
        settings.neighbours,
    )
