"""ResNet-32 for CIFAR (He et al., 1512.03385), with the losses that MELTR melts (2303.13009): cross
entropy, mixup and rotation.

Pictures come as frames or as stored features, of which a row has all levels of a picture, 0 to 255,
channel after channel and row after row. A clip of several frames is as many pictures of one class,
and its scores are the mean of theirs. MELTR states the losses alone; all else is our choice.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import ConfigDict, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models._asking.settings import Asked, with_answers_of
from reeltune.models._asking.targets import plain_offer, target_in, targets_of
from reeltune.models._device import device_named, precision_named
from reeltune.models._frames_there import require_frames
from reeltune.models._resnet32.network import STAGES, Network
from reeltune.models._resnet32.varied import varied
from reeltune.models.opening.material import Material, Started
from reeltune.models.opening.weights import (
    WEIGHTS,
    card_settings,
    fingerprint,
    load_weights,
    write_card,
)
from reeltune.nn.precise import precise
from reeltune.objectives.answering import answering
from reeltune.objectives.mixup import mix, mixup
from reeltune.objectives.rotation import draw_turns, rotation, turned
from reeltune.storage.tensors import write_tensors
from reeltune.types import Batch, Pixels, Tokens

WEIGHTS_FROM = "a folder that training wrote"
MEAN, STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)  # of CIFAR-100, by channel
LEVELS = 255
Further = Literal["mixup", "rotation"]


class Config(Asked):
    """Sizes, and what is trained beside the cross entropy of classes, `action`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    task: Literal["action-recognition"] = "action-recognition"
    tasks: tuple[Further, ...] = ("mixup", "rotation")
    features: PositiveInt = 3 * 32**2  # levels of a picture
    width: PositiveInt = 16  # channels at first; each stage has twice those of the one before
    blocks: PositiveInt = 5  # in each of three stages
    alpha: PositiveFloat = 1.0  # of the Beta from which mixup draws
    varies: bool = True  # pictures are shifted and mirrored in training

    @model_validator(mode="after")
    def _square(self) -> Self:
        if 3 * self.side**2 != self.features or self.side < 2**STAGES:
            raise ValueError(
                f"features is {self.features}, and a picture has 3 S S levels with S of "
                f"{2**STAGES} at least; give such a number, as 3072 of 32 x 32"
            )
        return self

    @property
    def side(self) -> int:
        """S, pixels."""
        return math.isqrt(self.features // 3)

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        mixes = "mixup" in self.tasks
        return self.unread_answers() | ({} if mixes else {"alpha": "where mixup is no loss"})

    @property
    def judged_as(self) -> str:
        """The task by which a model is judged."""
        return self.task

    @property
    def losses(self) -> tuple[str, ...]:
        """Names of all losses, first the one that the model is judged by."""
        return ("action", *self.tasks)

    @classmethod
    def tiny(cls) -> "Config":
        """About 5 thousand weights, over pictures of 8 pixels a side."""
        return cls(most_answers=3, features=3 * 8**2, width=4, blocks=1)

    def build(self) -> "Resnet32":
        """The model with random weights, drawn from torch's global generator."""
        return Resnet32(self).eval()

    def start(self, material: Material = Material()) -> "Started[Resnet32]":
        """The model as training begins, with the classes of the training split.

        Errors: `ConfigError` where it reads features of another width than are stored.
        """
        if material.width not in (None, self.features):
            raise ConfigError(
                f"the stored features have width {material.width}, and the model reads pictures of "
                f"{self.features} levels; give --set config.features={material.width} where that "
                "is what a picture has"
            )
        config = with_answers_of(self, material)
        model = config.build().to(device_named(material.device))
        return Started(model, targets_of(config, model.tokenize, 1, plain_offer))


class Resnet32(nn.Module):
    """Names the class of a picture."""

    primary = "action"

    def __init__(self, config: Config, name: str = "resnet32") -> None:
        super().__init__()
        self.config, self.name = config, name
        self.tasks, self.judged_as = config.losses, config.judged_as
        self.pixels = Pixels(size=config.side)
        self.network = Network(config.width, config.blocks, config.answer_scores)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.linear.weight.device

    @property
    def answers(self) -> tuple[str, ...]:
        """The classes."""
        return self.config.answers

    @property
    def fingerprint(self) -> str:
        """Fingerprint of weights, statistics and classes."""
        return fingerprint(self.state_dict(), {"answers": self.answers})

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """One token for each text, always the same: none is read."""
        if not texts:
            raise DataError("there is no text at all; give one for each clip")
        return Tokens(torch.zeros(len(texts), 1).long(), torch.ones(len(texts), 1).bool())

    def read_video(
        self, frames: UInt8[Tensor, "B T 3 S S"] | Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """The mean state of the real frames of each clip."""
        mask = mask.to(self.device)
        states = self.network(self._pictures(frames, mask))
        clip = mask.nonzero()[:, 0]
        summed = states.new_zeros(len(mask), states.shape[1]).index_add(0, clip, states)
        return summed / mask.sum(dim=1, keepdim=True)

    def classify(self, video: Float[Tensor, "N D"]) -> Float[Tensor, "N C"]:
        """The score of each class: since `linear` is, that of a mean state is the mean score."""
        return precise(self.network.linear(video))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The losses by name, each of all pictures of the batch."""
        return self._losses(batch, self.tasks)

    def primary_loss(self, batch: Batch) -> Tensor:
        """The loss of the class alone; in the same draw it is the one among `losses`."""
        return self._losses(batch, (self.primary,))[self.primary]

    def _losses(self, batch: Batch, wanted: Sequence[str]) -> dict[str, Tensor]:
        """The losses that are wanted, in that order.

        In training pictures are varied; with whom they are mixed and how they are turned is drawn
        anew at each call. All is drawn from torch's global generator.
        """
        mask = batch.mask.to(self.device)
        pictures = self._pictures(batch.frames, mask)
        if self.training and self.config.varies:
            pictures = varied(pictures)
        label = target_in(batch, "label").to(self.device)[mask.nonzero()[:, 0]]
        found = {"action": answering(self.classify(self.network(pictures)), label)}
        if "mixup" in wanted:
            mixed = mix(pictures, label, self.config.alpha)
            found["mixup"] = mixup(self.classify(self.network(mixed.pictures)), mixed)
        if "rotation" in wanted:
            turns = draw_turns(len(pictures))
            states = self.network(turned(pictures, turns))
            found["rotation"] = rotation(precise(self.network.turn_scores(states)), turns)
        return {name: found[name] for name in wanted}

    def save_pretrained(self, folder: Path | str) -> None:
        """Write weights, statistics and settings."""
        folder = Path(folder)
        write_card(folder, "resnet32", self.config.model_dump(mode="json"))
        write_tensors(folder / WEIGHTS, self.state_dict())

    def _pictures(
        self, frames: UInt8[Tensor, "B T 3 S S"] | Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "N 3 S S"]:
        """The real frames of all clips as pictures, with colours of mean 0 and deviation 1."""
        require_frames(mask)
        frames = frames.flatten(2)  # (B, T, 3 S S)
        if frames.shape[2] != self.config.features:
            raise DataError(
                f"pictures have {frames.shape[2]} levels, and the model reads "
                f"{self.config.features}; train one by --set config.features={frames.shape[2]}"
            )
        weight = self.network.linear.weight
        mean, std = (weight.new_tensor(of)[:, None, None] for of in (MEAN, STD))
        side = self.config.side
        levels = frames.to(weight)[mask].unflatten(1, (3, side, side))
        return (levels / LEVELS - mean) / std


def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> Resnet32:
    """The model in a folder that training wrote.

    Errors: `CheckpointError` names the file, field or keys that do not fit.
    """
    if folder is None:
        raise CheckpointError(
            "resnet32 has no weights of its own; give a folder that training wrote"
        )
    if precision_named(dtype) != torch.float32:
        raise ConfigError(f"resnet32 runs in float32 alone, got dtype {dtype!r}; leave it out")
    model = card_settings(folder, Config).build()
    load_weights(model, folder / WEIGHTS)
    return model.to(device_named(device)).eval()
