"""A run that takes seconds: a tiny VoP on Toybox, frames from a cache that is filled once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from reeltune.batches.frame_cache import FrameCache
from reeltune.batches.loader import FrameReader, Loader, Order, readable
from reeltune.data.toybox import Config
from reeltune.models import clip, tuned, vop
from reeltune.training.loop import Run
from reeltune.training.settings import Settings
from reeltune.training.step import Contrast
from reeltune.types import Batch, Pair, Pixels

FRAMES = 3


@dataclass(frozen=True)
class Footage:
    """A Toybox, and where its frames are kept."""

    toybox: Path
    cache: Path

    def pairs(self, split: Any = "train") -> Sequence[Pair]:
        return Config(folder=self.toybox, size="tiny").read(split).pairs

    @contextmanager
    def reader(self) -> Iterator[FrameReader]:
        with FrameReader(Pixels(size=32), FRAMES, FrameCache(self.cache)) as reader:
            yield reader

    def fill(self) -> "Footage":
        with self.reader() as reader:
            readable(reader, self.pairs())
        return self


def prompted() -> vop.Vop:
    """A VoP with every kind of prompt but the generic, the same in every process."""
    torch.manual_seed(5)
    return vop.Config.tiny().build()


def unfrozen() -> tuned.Tuned:
    """A CLIP whose every weight is trained, the temperature too."""
    torch.manual_seed(5)
    return tuned.Config(base=None, architecture=clip.Config.tiny(), method="full").build()


def batch_of(footage: Footage, size: int, model: Any) -> Batch:
    """The first batch of the first epoch."""
    with footage.reader() as reader:
        order = Order(footage.pairs(), size, 0)
        return next(Loader(reader, order, model.tokenize).epoch(0))


@dataclass
class Small:
    """What a test wants to be different from the usual run."""

    model: Any = field(default_factory=prompted)
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)  # of Run

    def run(self, reader: FrameReader, pairs: Sequence[Pair], folder: Path) -> Run:
        """Four epochs of six steps with four pairs each, unless told otherwise."""
        usual = {"epochs": 4, "batch": 4, "lr": 0.01, "save_minutes": 60.0}
        settings = Settings.model_validate(usual | self.settings)
        order = Order(pairs, settings.batch, settings.seed, settings.every_caption)
        known: dict[str, Any] = {
            "model": self.model,
            "step": Contrast(self.model, settings.precision, settings.chunk),
            "loader": Loader(reader, order, self.model.tokenize),
            "settings": settings,
            "folder": folder,
            "identity": "small run",
        }
        return Run(**(known | self.options))
