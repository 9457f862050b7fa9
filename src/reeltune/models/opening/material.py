"""The material from which training may begin, and the model with which it begins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

from reeltune.settings.existing import ExistingPath
from reeltune.types import Split, Target

Letters = Literal["ascii", "unicode"]
Model = TypeVar("Model", covariant=True)


class Words(BaseModel):
    """How a model with words of its own reads the training captions beforehand."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    at_least: PositiveInt = 5  # times that a word must occur to be known
    letters: Letters = "ascii"  # of words: a to z and digits, as published, or of every script
    # A folder of feature.bin, id.txt, shape.txt; None: the dataset's own, where they are there.
    word2vec: ExistingPath | Literal["none"] | None = None
    # video_label_th_1.txt; None: the dataset's own where they are there, else "captions".
    tags: ExistingPath | Literal["captions"] | None = None
    tag_vocabulary: ExistingPath | None = None  # tag_vocab_512.json, which goes with them

    @model_validator(mode="after")
    def _both_files(self) -> "Words":
        if isinstance(self.tags, Path) != (self.tag_vocabulary is not None):
            raise ValueError(
                "one of two files of tags is given; give both, --set words.tags="
                "video_label_th_1.txt and --set words.tag_vocabulary=tag_vocab_512.json "
                "(docs/features.md)"
            )
        return self


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything that there is at the beginning; a model takes what it can use.

    `splits` are those whose losses are wanted: that of training, and where MELTR is judged on it
    that of validation. `dataset` is the dataset's settings, which may offer more by a protocol of
    the model's.
    """

    title: str = "the material"  # what messages call it, such as "recipe toybox/vop"
    component: str = ""  # of models/, whose model it is for
    device: str | None = None
    seed: int = 0
    width: int | None = None  # F of stored features; None: clips are frames
    splits: tuple[Split, ...] = ()
    dataset: object = None
    words: Words = field(default_factory=Words)
    init: Path | None = None  # a run whose weights are taken next


@dataclass(frozen=True)
class Started(Generic[Model]):
    """A model before its first step, what its losses want of each pair, and what it was given."""

    model: Model
    targets: Mapping[str, Target] = field(default_factory=dict)
    said: tuple[str, ...] = ()  # sentences for the output and the model card


@runtime_checkable
class Startable(Protocol):
    """Settings of a model that can be trained."""

    def start(self, material: Material = ...) -> Started[Any]:
        """The model as training begins; random weights are drawn from torch's global generator.

        Errors: `ConfigError` or `DataError` for material that the model cannot begin from.
        """
        ...


@runtime_checkable
class Outlined(Protocol):
    """Settings some of which only training fills in."""

    def outline(self) -> Any:
        """The settings with something of the expected size in place of what is not known yet, by
        which a model can be built without weights and counted."""
        ...


def without_weights(config: Any) -> Any:
    """The model of settings, in shapes without memory."""
    with torch.device("meta"):
        return (config.outline() if isinstance(config, Outlined) else config).build()


@runtime_checkable
class ReadsWords(Protocol):
    """Settings of a model that learns words of the captions."""

    def unread_beside(self, words: Words, init: Path | None) -> dict[str, str]:
        """Settings in `words`, and beside these in `config`, that nothing reads, by path, and why;
        `init` is the run whose weights training begins from."""
        ...
