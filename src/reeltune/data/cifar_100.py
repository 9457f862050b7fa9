"""CIFAR-100: pictures of 32 x 32 pixels, each of one of 100 things (Krizhevsky, 2009)."""

from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock
from jaxtyping import UInt8
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from reeltune.data._annotations import find_file, read_lines
from reeltune.data.splits.by_place import take_split
from reeltune.data.splits.part import Part, split_named
from reeltune.data.splits.published import Size, Sizes, held_out
from reeltune.errors import DataError, in_short
from reeltune.features.index import Entry, Index, Making
from reeltune.features.store import DATA
from reeltune.settings.existing import ExistingPath
from reeltune.storage.arrays import write_array
from reeltune.storage.cache import cache_folder
from reeltune.storage.content import known_hash
from reeltune.storage.outputs import new_folder
from reeltune.storage.regular_file import read_bytes
from reeltune.types import Pair, Split

HOW = """\
CIFAR-100: 60,000 pictures of 32 x 32 pixels, 600 of each of 100 things.

Official page   https://www.cs.toronto.edu/~kriz/cifar.html  (CIFAR-100 binary version)
Terms           none are stated; the page asks that Krizhevsky's report of 2009 be cited.

  FOLDER/
  ├── train.bin               50,000 records: a coarse class, a fine one, the levels of a picture
  ├── test.bin                10,000
  └── fine_label_names.txt    the names of the 100 fine classes, which are those that are learned

They may also lie in a folder in it, cifar-100-binary/ as unpacked. The Python version is not read,
since it is a pickle, which can run code.

Each picture becomes a row of stored features, its 3,072 levels, in the cache (370 MB). 1,000
pictures of train are held out as val, always the same ones; --set options.hold_out=0 trains on all,
as the papers do, and has no val.
"""
NAME = "cifar-100"
LEVELS = 3 * 32 * 32
RECORD = 2 + LEVELS  # bytes: coarse class, fine class, channel after channel, row after row
PICTURES = "pictures"  # below the cache folder
File = Literal["train", "test"]


class Config(BaseModel):
    """Where CIFAR-100 lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath
    hold_out: NonNegativeInt = 1000  # pictures of train that are val

    @property
    def keeps_features(self) -> bool:
        """Whether the dataset has features of its own; it always has: its pictures."""
        return True

    def read(self, split: Part | str) -> Split:
        """Pictures of a split with their classes, in the order of the file.

        Raises DataError with the file and what is wrong in it.
        """
        split = split_named(split)
        path = find_file(self.folder, ["fine_label_names.txt"], NAME)
        classes = _classes(path)
        file = _file_of(split)
        labels = self._records(file)[:, 1]
        if len(labels) and labels.max() >= len(classes):
            number = int(np.argmax(labels >= len(classes)))
            raise DataError(
                f"{self._place(file)}: picture {number} is of class {labels[number]}, and {path} "
                f"names {len(classes)}; take both files from the published archive"
            )
        folder = self.features(split)
        videos = [_named(file, number) for number in range(len(labels))]
        kept = set(videos) if file == "test" else take_split(videos, self.hold_out, split)
        pairs = (_pair(folder / v, classes[n]) for v, n in zip(videos, labels, strict=True))
        return Split(pairs=tuple(p for p in pairs if p.video in kept), captions="single")

    def features(self, split: Part | str) -> Path:
        """The folder of stored features of a split, which is filled if necessary."""
        file = _file_of(split_named(split))
        folder = cache_folder() / PICTURES / f"{file}-{known_hash(self._place(file))}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                with new_folder(folder) as half:
                    _write(half, file, self._records(file)[:, 2:])
        return folder

    def published(self) -> Sizes:
        """As the page says: 50,000 pictures for training and 10,000 for testing."""
        return held_out(50_000, self.hold_out, 1, Size(10_000, 10_000))

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Six pictures of three things, four of them for training, of which one is held out."""
        source = np.random.default_rng(0)
        for file, count in (("train", 4), ("test", 2)):
            records = source.integers(0, 256, (count, RECORD), np.uint8)
            records[:, 0], records[:, 1] = 0, np.arange(count) % 3
            records.tofile(folder / f"{file}.bin")
        (folder / "fine_label_names.txt").write_text("apple\naquarium_fish\nbaby\n")
        return cls(folder=folder, hold_out=1)

    def _place(self, file: File) -> Path:
        return find_file(self.folder, [f"{file}.bin"], NAME)

    def _records(self, file: File) -> UInt8[np.ndarray, "N R"]:
        """All records of a file, a row each."""
        path = self._place(file)
        try:
            content = read_bytes(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({in_short(error)}); copy it again") from error
        if not content or len(content) % RECORD:
            raise DataError(
                f"{path} has {len(content):,} bytes, and each picture takes {RECORD:,}; unpack the "
                f"published archive again (`reeltune datasets {NAME}` names it)"
            )
        return np.frombuffer(content, np.uint8).reshape(-1, RECORD)


def _classes(path: Path) -> list[str]:
    """The names of the classes, by number; raises DataError for a line without one, which would
    give those below it each the name of another, and for a name of two classes."""
    classes: list[str] = []
    for number, line in read_lines(path, NAME):
        fault = "" if number == len(classes) + 1 else "the line before it is empty"
        if line.strip() in classes:
            fault = f"{line.strip()!r} is there a second time"
        if fault:
            raise DataError(
                f"{path}, line {number}: {fault}, and each line names the class of its number; "
                f"take the file from the published archive (`reeltune datasets {NAME}` names it)"
            )
        classes.append(line.strip())
    return classes


def _file_of(split: Part) -> File:
    return "test" if split == "test" else "train"


def _named(file: File, number: int) -> str:
    return f"{file}{number:05}"


def _pair(path: Path, name: str) -> Pair:
    return Pair(video=path.name, path=path, caption=name.replace("_", " "), answer=name)


def _write(folder: Path, file: File, levels: UInt8[np.ndarray, "N F"]) -> None:
    """Pictures as features, one row each; float16 holds each level as it is."""
    write_array(folder / DATA, levels, np.float16)
    videos = {_named(file, n): Entry(first=n, count=1) for n in range(len(levels))}
    Index(making=Making(width=LEVELS, sampling="levels of a picture"), videos=videos).write(folder)
