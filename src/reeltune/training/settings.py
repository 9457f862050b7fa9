"""How a model is trained, as a recipe says it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from reeltune.training.schedule import Rule


class Settings(BaseModel):
    """All knobs of the loop; the VoP paper states epochs, batch, weight decay and the cosine."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: PositiveInt = 5
    batch: PositiveInt = 32  # pairs per step and process
    accumulate: PositiveInt = 1  # batches per optimizer step; negatives stay within a batch
    chunk: PositiveInt | None = None  # pairs whose activations are held at once; None: all
    lr: NonNegativeFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.2
    schedule: Rule = "cosine"  # of the learning rate; the others follow validation
    warmup: float = Field(default=0.1, ge=0, lt=1)  # share of the steps, before it falls by itself
    judged_by: str = "SumR"  # figure of validation that chooses weights
    clip_norm: NonNegativeFloat = 1.0  # 0: gradients are not clipped
    precision: Literal["fp32", "bf16"] = "fp32"  # of the forward pass
    seed: NonNegativeInt = 0
    every_caption: bool = False  # an epoch sees every pair, not one caption per video
    neighbours: PositiveInt = 1  # videos of the dataset's order that enter a batch together
    patience: PositiveInt | None = None  # epochs without a better validation before it stops
    save_minutes: NonNegativeFloat = 1.0  # between states written while an epoch runs
