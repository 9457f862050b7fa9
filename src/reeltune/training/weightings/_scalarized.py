"""Weightings that look at the values of the losses alone, by torchjd's scalarizers."""

import torch

from reeltune.meltr.combiner import valued
from reeltune.training.own_adam import Learned
from reeltune.training.weighting import AtStep, Weighed, Weighting


class Scalarized(Weighting):
    """A scalarizer without parameters, or with some that it moves itself."""

    def __init__(self, scalarizer: torch.nn.Module) -> None:
        super().__init__()
        self.scalarizer = scalarizer

    def weigh(self, at: AtStep) -> Weighed:
        return Weighed(*valued(self.scalarizer, at.values))


class LearnedScalarized(Learned):
    """A scalarizer whose parameters lower the same value as the weights of the model."""

    def __init__(self, scalarizer: torch.nn.Module, lr: float) -> None:
        super().__init__(lr)
        self.scalarizer = scalarizer

    def weigh(self, at: AtStep) -> Weighed:
        self.learn(self.scalarizer(at.values), at.share)
        return Weighed(*valued(self.scalarizer, at.values))
