"""The splits that a dataset may have, by their names."""

from typing import Protocol, runtime_checkable

from reeltune.errors import ConfigError, NoSplitError
from reeltune.records import PARTS as PARTS
from reeltune.records import Part as Part
from reeltune.types import Split

_OFTEN = {"training": "train", "valid": "val", "validation": "val", "dev": "val", "testing": "test"}


def split_named(name: str) -> Part:
    """The split called `name`, which is one of `PARTS` to the letter; ConfigError otherwise."""
    for part in PARTS:
        if part == name:
            return part
    meant = _OFTEN.get(name.lower(), name.lower())
    hint = f"; did you mean {meant}?" if meant in PARTS else ""
    raise ConfigError(f"no split {name!r}; a split is one of {', '.join(PARTS)}{hint}")


@runtime_checkable
class Dataset(Protocol):
    """Settings of a component of data/."""

    def read(self, split: Part | str) -> Split:
        """Pairs of a split.

        Errors: `NoSplitError` for one that the dataset lacks, `DataError` for faults in its files.
        """
        ...


def read_if_any(dataset: Dataset, split: Part) -> Split | None:
    """A split, or None if the dataset lacks it, such as val when nothing is held out."""
    try:
        return dataset.read(split)
    except NoSplitError:
        return None
