"""The section of a recipe about MELTR."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt

from reeltune.meltr.scheme import Scheme
from reeltune.meltr.settings import Settings
from reeltune.registry import find
from reeltune.settings.faults import checked


class Melting(BaseModel):
    """MELTR: the losses of a model melted by a transformer that is trained beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scheme: str = "aid-fp-lite"  # of meltr/schemes
    options: dict[str, Any] = {}  # of the scheme
    kind: Literal["transformer", "linear"] = "transformer"
    sizes: dict[str, Any] = {}  # of the transformer
    warm_start: NonNegativeInt = 0  # steps in which the transformer is fitted to the sum at first
    weights: dict[str, NonNegativeFloat] = {}  # of losses by name, for the scheme multi-task
    outer: Literal["held-out", "recent"] = "held-out"  # validation split, or late training batches
    step: Settings = Settings()

    def built_scheme(self) -> Scheme:
        """The scheme that teaches the combiner; raises ConfigError for an option that it lacks."""
        made: Scheme = checked(
            find("meltr.schemes", self.scheme).Config, "meltr.options", self.options
        ).build()
        return made

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        scheme = self.built_scheme()
        if not scheme.batches:
            why = (
                f"under meltr.scheme={self.scheme}, which learns nothing, but by the other schemes"
            )
            return dict.fromkeys(("kind", "sizes", "outer", "warm_start", "step"), why)
        found = {
            "weights": f"under meltr.scheme={self.scheme}, which learns them, but by multi-task",
            "step.precision": "under MELTR; training.precision is that of both levels",
            "sizes.tasks": "from a recipe; the model names its losses, as by config.tasks",
        }
        if not scheme.curves:
            why = f"under meltr.scheme={self.scheme} with these meltr.options, without curvature"
            found["step.curved"] = f"{why}, but by neumann, stocbio and conjugate-gradient"
        if self.step.gamma == 0:
            why = "under meltr.step.gamma=0, but where gamma is more"
            found |= {"step.regularise": why, "step.direct_term": why}
        return found | self._unread_by_kind()

    def _unread_by_kind(self) -> dict[str, str]:
        if self.kind == "linear":
            why = "under meltr.kind=linear, but by meltr.kind=transformer"
            return dict.fromkeys(("sizes", "warm_start", "step.dropout"), why)
        found = {}
        if not self.step.dropout:
            found["sizes.dropout"] = (
                "under meltr.step.dropout=false, but by meltr.step.dropout=true"
            )
        if not self.sizes.get("scale", True):
            found["sizes.scale_width"] = (
                "under meltr.sizes.scale=false, but by meltr.sizes.scale=true"
            )
        return found
