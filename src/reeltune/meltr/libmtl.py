"""MELTR as a weighting of LibMTL, which inherits it beside an architecture.

trainer = Trainer(..., weighting=MELTR, weight_args={
    "compute": compute_losses, "train_on": train_loader, "judge_on": val_loader, "primary": "depth",
})

LibMTL tells a weighting the losses alone, so meta steps draw a training batch of their own, as in
the released code of MELTR. `compute_losses(model, batch)` returns the losses of a batch by the
names of LibMTL's tasks.
"""

from typing import Any

from torch import Tensor, nn

from reeltune.errors import ConfigError
from reeltune.meltr.melt import Melt
from reeltune.meltr.outer import HeldOut

NEEDED = ("compute", "train_on", "judge_on", "primary")


class MELTR(nn.Module):
    """What LibMTL's AbsWeighting asks for: `init_param` and `backward`."""

    task_name: list[str]  # which LibMTL's architecture sets

    def init_param(self) -> None:
        """Begin with nothing; MELTR is no part of the model, whose optimizer would move it."""
        self.__dict__["melt"] = None

    def backward(self, losses: Tensor, **given: Any) -> list[float]:
        """Add the gradient of the melted losses, and let MELTR learn if that is due.

        `given` are LibMTL's weight_args: those of `NEEDED`, and what else `Melt` takes. Returns how
        strongly each loss is trained, which LibMTL keeps as `batch_weight`.
        """
        if self.__dict__["melt"] is None:
            if lacking := [name for name in NEEDED if name not in given]:
                raise ConfigError(
                    f"the weight_args of MELTR lack {', '.join(lacking)}; give {', '.join(NEEDED)}"
                )
            beside = {name: value for name, value in given.items() if name not in NEEDED}
            first = [given[name] for name in ("compute", "primary", "judge_on")]
            self.__dict__["melt"] = Melt(self, *first, **beside)
            self.__dict__["drawn"] = HeldOut(given["train_on"])
        melt: Melt = self.__dict__["melt"]
        melt(dict(zip(self.task_name, losses, strict=True))).backward()
        facts = melt.update(self.__dict__["drawn"].draw(losses))
        return [facts[f"slope {task}"] for task in self.task_name]
