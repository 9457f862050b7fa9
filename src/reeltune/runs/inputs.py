"""A model with the clips that it reads, and splits without what it cannot read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from reeltune.batches.frame_cache import FrameCache
from reeltune.batches.loader import ClipReader, FrameReader, Loader, Order, Text, readable
from reeltune.batches.unread import repeated
from reeltune.errors import ConfigError, DataError
from reeltune.models.opening.initial import take_weights
from reeltune.models.opening.material import Material, Startable, Started
from reeltune.ranks.ranks import everyone
from reeltune.runs.clips import StoredClips
from reeltune.runs.place import RunPlace
from reeltune.storage.cache import cache_folder
from reeltune.tasks.finding.judge import unread_of
from reeltune.training.settings import Settings
from reeltune.types import Pixels, Split, Target, collect_left_out

FRAME_CACHE = "frames"  # below the cache folder


@dataclass(frozen=True)
class Inputs:
    """A model, its clips, and the targets that its losses need for each pair."""

    model: Any
    clips: ClipReader
    targets: Mapping[str, Target] = field(default_factory=dict)
    texts: dict[str, Text] = field(default_factory=dict)
    by_caption: bool = False  # whether clips of the same caption are no wrong answers for another

    def taken(self, split: Split, place: RunPlace, learned: bool = False) -> Split:
        """The split without clips that cannot be read; it names them, texts that are there twice,
        and captions that the model cannot read, of which those of a writer only count where it has
        `learned` from them."""
        kept = without_faults(self.clips, split, place)
        also = unread_of(self.model, kept, self.texts, learned)
        return replace(kept, left_out=(*kept.left_out, *repeated(kept.pairs), *also))

    def loader(self, order: Order) -> Loader:
        """Batches in this order, as the losses of the model want them."""
        return Loader(
            self.clips,
            order,
            self.model.tokenize,
            targets=self.targets,
            texts=self.texts,
            by_caption=self.by_caption,
        )

    def loader_of(self, split: Split, settings: Settings) -> Loader:
        """Batches of a split; a batch shrinks to fit a small split, to what all processes share."""
        ranks = everyone()
        batch = max(min(settings.batch, split.videos) // ranks.world, 1) * ranks.world
        order = Order(split.pairs, batch, settings.seed, rank=ranks.rank, world=ranks.world)
        return self.loader(order)


@contextmanager
def open_inputs(
    config: Any, material: Material, clips: StoredClips | int
) -> Iterator[tuple[Inputs, tuple[str, ...]]]:
    """The model that `config` starts from the material, and its clips: stored features, or so many
    frames of each; and what the model was given."""
    if isinstance(clips, StoredClips):
        said = clips.maker.said(config)
        known = clips.maker.known_to(config, material.device)
        begun = _start(known, replace(material, width=clips.width))
    else:
        said, begun = (), _start(config, material)
    said = (*said, *begun.said)
    if material.init is not None:
        said = (*said, *take_weights(begun.model, material.component, material.init))
    opened = frame_reader(begun.model.pixels, clips) if isinstance(clips, int) else clips
    with opened as reader:
        yield Inputs(begun.model, reader, begun.targets), said


def _start(config: Any, material: Material) -> Started[Any]:
    if not isinstance(config, Startable):
        raise ConfigError(
            f"{material.title}: {material.component} is a model that is used as it is, and no "
            "recipe can set it up; name one that can be trained, such as --set component=tuned"
        )
    return config.start(material)


def frame_reader(pixels: Pixels, frames: int) -> FrameReader:
    """Reads clips as a model with such `pixels` wants them, through the cache that all runs
    share."""
    return FrameReader(pixels, frames, FrameCache(cache_folder() / FRAME_CACHE))


def without_faults(clips: ClipReader, split: Split, place: RunPlace) -> Split:
    """The split without clips that cannot be read, which it names.

    Errors: `DataError` where none can be read.
    """
    what = "decoding" if isinstance(clips, FrameReader) else "reading features"
    pairs, faults = readable(clips, split.pairs, place.progress(what))
    if not pairs:
        raise DataError(
            f"no video of the split can be read; the first is {split.pairs[0].path}: "
            f"{faults[split.pairs[0].video]}"
        )
    left_out = (*split.left_out, *collect_left_out("video", faults.items()))
    return replace(split, pairs=tuple(pairs), left_out=left_out)
