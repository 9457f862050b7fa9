"""Weightings that look at the inner products of the gradients of the losses."""

from collections.abc import Callable

from torch import Tensor

from reeltune.training.weighting import AtStep, Weighed, Weighting


class OfGradients(Weighting):
    """Weights by a function of the (T, T) matrix of inner products, such as torchjd's."""

    def __init__(self, weights_of: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._weights_of = weights_of

    def weigh(self, at: AtStep) -> Weighed:
        rows = at.gradients.rows
        slopes = self._weights_of(rows @ rows.mT).to(at.values)
        return Weighed(slopes @ at.values, slopes)
