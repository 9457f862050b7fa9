"""Settings of MELTR's own level of training."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt

from reeltune.meltr.derivatives import Along, Curved
from reeltune.meltr.hypergradient import Regularise


class Settings(BaseModel):
    """Settings of the outer level.

    The paper states Adam, lr 1e-4 and linear decay; every 3 steps and gamma 0.1 are the released
    code's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    every: PositiveInt = 3  # K, steps of the model's optimizer for one of MELTR's
    lr: NonNegativeFloat = 1e-4
    weight_decay: NonNegativeFloat = 0.0
    decay_over: PositiveInt | None = None  # meta steps after which lr reaches 0; None: constant
    clip_norm: NonNegativeFloat = 50.0  # 0: not clipped; the code of UniVL 50, of Violet 12
    gamma: NonNegativeFloat = Field(default=0.1)  # of the regulariser
    regularise: Regularise = "lower"  # whose batch it is taken on; the releases: that of L_aux
    direct_term: bool = False
    dropout: bool = False  # in MELTR; off in the code of UniVL, on in Violet's
    along: Along = "difference"
    curved: Curved = "difference"
    precision: Literal["fp32", "bf16"] = "fp32"  # of the model's forward pass; MELTR is in fp32
