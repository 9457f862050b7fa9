"""Marks as a file of captions, which `reeltune tune` learns from and is judged by.

What is right and what was written are captions of their moments. What is wrong stands in the file
as well, labelled so: it is never learned as a caption. Files are divided in the order in which they
were first marked, so that each stays where it is as more are marked.
"""

import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reeltune.errors import ConfigError, counted
from reeltune.records import PARTS, Part
from reeltune.search.marks import Kept, Mark, placed
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.outputs import require_new_file
from reeltune.storage.place import Place

COLUMNS = ("path", "caption", "start", "end", "split", "label")
TURN: tuple[Part, ...] = (  # of each ten files; the first two are enough to learn and to test
    *("train", "test", "train", "val", "train"),
    *("test", "train", "train", "test", "train"),
)
LEAST = 8  # videos that tuning learns from; fewer fill no batch worth contrasting
SUFFIXES = (".csv", ".jsonl")
FORMULA = ("=", "+", "-", "@")  # what spreadsheets begin to compute at


@dataclass(frozen=True)
class MarkCaptions:
    """The lines of a file of captions, and what of the marks is not in it."""

    rows: list[dict[str, Any]]
    without_file: int  # marks of files that the library has no more
    unsayable: int  # marks of files in object stores, or whose names are not UTF-8

    def count(self, part: Part | None = None, label: str = "right") -> int:
        """How many moments have a caption, or a wrong one, in a part or in all."""
        return len(
            {
                (row["path"], row["start"], row["end"])
                for row in self.rows
                if row["label"] == label and part in (None, row["split"])
            }
        )

    def counts(self, label: str = "right") -> dict[Part, int]:
        """`count` of each part."""
        return {part: self.count(part, label) for part in PARTS}

    @property
    def files(self) -> int:
        """How many videos there are."""
        return len({row["path"] for row in self.rows})

    def facts(self) -> dict[str, Any]:
        """The counts as plain data."""
        return {
            "files": self.files,
            "captioned": self.counts(),
            "wrong": self.counts("wrong"),
            "without_file": self.without_file,
            "unsayable": self.unsayable,
        }

    def sentences(self) -> list[str]:
        """What there is, and what of the marks is left out."""
        each = self.counts()
        said = [
            f"{counted(sum(each.values()), 'moment')} with captions in "
            f"{counted(self.files, 'video')}: {each['train']} to learn from, {each['val']} to "
            f"choose by, {each['test']} to test on"
        ]
        if wrong := self.count(label="wrong"):
            said.append(f"moments marked wrong for some words: {wrong}")
        if self.without_file:
            said.append(
                f"marks left out, since the library has their videos no more: {self.without_file}"
            )
        if self.unsayable:
            said.append(
                "marks left out, since their videos lie in an object store, or have names that are "
                f"not UTF-8: {self.unsayable}"
            )
        return said

    def write(self, out: Path) -> None:
        """Write CSV, or JSON lines, by the suffix of `out`, which may replace a file."""
        form = self.csv if out.suffix.lower() == ".csv" else self.jsonl
        write_atomically(out, form().encode())

    def csv(self) -> str:
        """The lines as a table with a header."""
        page = io.StringIO()
        writer = csv.DictWriter(page, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "caption": _harmless(row["caption"])} for row in self.rows)
        return page.getvalue()

    def jsonl(self) -> str:
        """The lines as JSON objects, one a line."""
        return "".join(json.dumps(row) + "\n" for row in self.rows)


def require_place(out: Path, force: bool) -> None:
    """Raise ConfigError unless captions can be written to `out`, which replaces no file, as one of
    captions that a person wrote, unless `force` says so."""
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{out} is none of {', '.join(SUFFIXES)}; name a file of captions so")
    require_new_file(out, force)


def captions_of(folder: Place, kept: Kept) -> MarkCaptions:
    """The marks of a library as lines of captions, with the places that its files have now."""
    part_of = {file: TURN[number % len(TURN)] for number, file in enumerate(kept.files)}
    marks = placed(folder, kept.marks)
    there = [mark for mark in marks if mark.location is not None]
    sayable = [mark for mark in there if _can_be_named(mark.location)]
    rows = [_row(mark, part_of[mark.file]) for mark in sayable]
    return MarkCaptions(rows, len(marks) - len(there), len(there) - len(sayable))


def _row(mark: Mark, part: Part) -> dict[str, Any]:
    return {
        "path": mark.location,
        "caption": mark.text,
        "start": mark.start,
        "end": mark.end,
        "split": part,
        "label": "wrong" if mark.verdict == "wrong" else "right",
    }


def _harmless(caption: str) -> str:
    """A caption in which a spreadsheet sees no formula; readers take the space away."""
    return f" {caption}" if caption.startswith(FORMULA) else caption


def _can_be_named(location: str | None) -> bool:
    """Whether a file of captions, which is UTF-8, can name a file by its absolute path."""
    try:
        (location or "").encode()
    except UnicodeEncodeError:
        return False
    return os.path.isabs(location or "")
