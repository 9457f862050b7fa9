"""The settings of a training, as a recipe gives them."""

from collections.abc import Set
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from reeltune.registry import find
from reeltune.settings.faults import checked
from reeltune.settings.unread import refuse_unread
from reeltune.training.schedule import FOLLOWS, Rule
from reeltune.training.weighting import Weighting

# Settings that only some steps read.
OF_STEPS = frozenset({"precision", "chunk", "combine", "combine_options", "shard"})
OF_VALIDATION = ("judged_by", "patience")  # and that nothing reads where there is none
Rate = Annotated[float, Field(ge=0, le=1e6)]  # by which weights change; beyond it is none


class Settings(BaseModel):
    """All settings of the loop; the VoP paper states epochs, batch, weight decay and the cosine."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: PositiveInt = 5
    batch: PositiveInt = 32  # pairs of all processes together
    accumulate: PositiveInt = 1  # batches per optimizer step; negatives stay within a batch
    chunk: PositiveInt | None = None  # pairs whose activations are held at once; None: all
    lr: Rate = 1e-3
    rates: dict[Annotated[str, Field(min_length=1)], Rate] = {}  # in place of lr, for
    # weights whose names contain a text: {lstm: 3.0e-4}
    optimizer: Literal["adamw", "sgd"] = "adamw"  # sgd: with Nesterov's momentum of 0.9
    weight_decay: Rate = 0.2
    schedule: Rule = "cosine"  # of the learning rate (training/schedule.py)
    warmup: float = Field(default=0.1, ge=0, lt=1)  # share of the steps, before it falls by itself
    judged_by: str | None = None  # figure of validation that chooses weights; None: its first one,
    # and in a recipe that of the model's task
    clip_norm: NonNegativeFloat = 1.0  # 0: gradients are not clipped
    precision: Literal["fp32", "bf16"] = "fp32"  # of the forward pass
    combine: str | None = None  # of training/weightings: how losses are weighed; None: they are
    # summed
    combine_options: dict[str, Any] = {}  # of the weighting
    shard: bool = False  # weights of layers are shared out among processes (training/shards.py)
    seed: NonNegativeInt = 0
    every_caption: bool = False  # an epoch sees every pair, not one caption per video
    neighbours: PositiveInt = 1  # videos of the dataset's order that enter a batch together
    patience: PositiveInt | None = None  # epochs without a better validation before it stops
    save_minutes: NonNegativeFloat = 1.0  # between states written while an epoch runs

    def weighting(self, tasks: tuple[str, ...]) -> Weighting | None:
        """What weighs the losses `tasks`; None where they are summed.

        Errors: `ConfigError` for a name or an option that there is not.
        """
        if self.combine is None:
            return None
        kind = find("training.weightings", self.combine).Config
        made: Weighting = checked(kind, "training.combine_options", self.combine_options).build(
            tasks
        )
        return made

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        if self.combine is not None:
            return {}
        return {"combine_options": "where losses are summed, but by training.combine=uncertainty"}


def require_read(settings: Settings, reads: Set[str], validates: bool) -> None:
    """Raise ConfigError for settings that were changed and that this run would not read.

    `reads` are those of `OF_STEPS` that its step reads; `validates` says whether there is a
    validation split.
    """
    unread = dict.fromkeys(sorted(OF_STEPS - reads), "by the step that trains these losses")
    unread |= settings.unread()
    if settings.every_caption:
        unread["neighbours"] = (
            "under training.every_caption=true, where captions of one video would stand together, "
            "which are no negatives of each other"
        )
    if settings.schedule in FOLLOWS:
        unread["warmup"] = f"under training.schedule={settings.schedule}"
    if not validates:
        unread |= dict.fromkeys(OF_VALIDATION, "without a validation split")
        if settings.schedule in FOLLOWS:
            unread["schedule"] = "without a validation split, whose figures it follows"
    refuse_unread(settings, unread, "training")
