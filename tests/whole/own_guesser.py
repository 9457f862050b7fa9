"""A model from outside, made for a task from outside: VoP that says a word for each clip."""

from torch import Tensor

from reeltune.models import vop
from reeltune.models.opening.material import Material, Started


class Guesser(vop.Vop):
    """Says "a" for bright clips and "the" for dark ones."""

    judged_as = "tasks.first_word"

    def guess(self, frames: Tensor, mask: Tensor) -> list[str]:
        """A word for each clip."""
        return ["a" if clip.float().mean() > 64 else "the" for clip in frames]


class Config(vop.Config):
    """Settings of VoP, for the other task."""

    judged_as = property(lambda self: "tasks.first_word")

    def start(self, material: Material = Material()) -> Started[vop.Vop]:
        """The model as training begins."""
        base = self.base_for(material)
        return Started(Guesser(self, base).to(base.mean.device))
