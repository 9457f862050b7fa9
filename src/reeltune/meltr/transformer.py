"""The meta loss transformer, which turns the values of several losses into one loss."""

from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from reeltune.errors import ConfigError
from reeltune.nn.shapes import Float


class Config(BaseModel):
    """Sizes of UniVL's release; Violet's and All-in-one's are in `RELEASED`.

    The last two settings are robust starts, off in the paper. At random weights half of the
    losses, maybe the primary one, are ascended; `residual` adds the plain sum, `softplus` keeps
    the output positive, and `warm_start.warm_start` trains the weights towards the sum.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["transformer"] = "transformer"
    tasks: tuple[str, ...]  # names of the losses, in the order of the embedding's rows
    width: PositiveInt = 256  # D, of a token
    scale_width: PositiveInt = 128  # hidden units of the scale embedding
    feedforward: PositiveInt = 512
    heads: PositiveInt = 8
    dropout: float = Field(default=0.1, ge=0, lt=1)
    scale: bool = True  # tokens say how large a loss is
    task: bool = True  # tokens say which loss it is
    residual: bool = False
    softplus: bool = False

    @classmethod
    def tiny(cls, tasks: tuple[str, ...] = ("primary", "auxiliary")) -> "Config":
        """Sizes that train in seconds on a CPU."""
        return cls(tasks=tasks, width=16, scale_width=8, feedforward=16, heads=2)

    def build(self) -> "MeltrTransformer":
        """The combiner with fresh weights."""
        return MeltrTransformer(self)


RELEASED: dict[str, dict[str, int]] = {  # sizes in the authors' code, by backbone
    "univl": {"width": 256, "scale_width": 128, "feedforward": 512},
    "violet-retrieval": {"width": 512, "scale_width": 256, "feedforward": 512},
    "violet-qa": {"width": 256, "scale_width": 128, "feedforward": 256},
    "all-in-one": {"width": 128, "scale_width": 128, "feedforward": 128},
}


class MeltrTransformer(nn.Module):
    """One encoder layer over a token per loss, then their mean and a linear map (equation 5).

    Parameters are named as in the released code. The output may be negative.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        _require_tokens(config)
        self.config, self.tasks = config, config.tasks
        width = config.width
        if config.task:
            self.task_embedding = nn.Embedding(len(config.tasks), width)
        if config.scale:
            self.loss_fc1 = nn.Linear(1, config.scale_width)
            self.loss_fc2 = nn.Linear(config.scale_width, width)
        self.encoder = nn.TransformerEncoderLayer(
            width, config.heads, config.feedforward, config.dropout, batch_first=True
        )
        self.fc1 = nn.Linear(width, 1, bias=False)

    def forward(self, losses: Float[Tensor, " T"]) -> Float[Tensor, ""]:
        """The melted loss of T losses in the order of `tasks`."""
        with sdpa_kernel(SDPBackend.MATH):  # the only attention with a second derivative
            melted = self.fc1(self.encoder(self._tokens(losses)).mean(1)).squeeze()
        if self.config.softplus:
            melted = F.softplus(melted)
        return melted + losses.sum() if self.config.residual else melted

    def _tokens(self, losses: Tensor) -> Tensor:
        tokens: Any = 0
        if self.config.scale:
            tokens = self.loss_fc2(self.loss_fc1(losses[:, None]).relu())  # (T, D)
        if self.config.task:
            tokens = tokens + self.task_embedding.weight
        return torch.as_tensor(tokens)[None]  # (1, T, D)


def _require_tokens(config: Config) -> None:
    if not config.scale and not config.task:
        raise ConfigError(
            "meltr.sizes.scale and meltr.sizes.task are both false, and a token has to say one of "
            "them; switch on at least one, by --set meltr.sizes.scale=true"
        )
    if over := config.width % config.heads:
        raise ConfigError(
            f"meltr.sizes.width is {config.width}, which {config.heads} heads do not divide; give "
            f"a multiple, such as --set meltr.sizes.width={config.width - over + config.heads}"
        )
    require_tasks(config.tasks)


def require_tasks(tasks: tuple[str, ...]) -> None:
    """Raise unless there are losses to combine, each named once."""
    if not tasks or len(set(tasks)) != len(tasks):
        raise ConfigError(
            f"the combiner is to melt {list(tasks)}; name each loss of the model exactly "
            "once in the tasks of its Config"
        )


def regulariser(melted: Float[Tensor, ""], losses: Float[Tensor, " T"]) -> Float[Tensor, ""]:
    """How far the melted loss is from the plain sum of all losses (equation 6)."""
    return (melted - losses.sum()).abs()
