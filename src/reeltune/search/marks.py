"""What a person says of moments: that words are right or wrong for one, or a caption for it.

Marks lie beside the library's table, in a file of their own to which lines are added. They name a
file by its content and a moment by its times, so that they outlive whatever becomes of the
library's vectors: another model, files that move, and files that are taken out and come back.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from reeltune.errors import ConfigError, NotInLibraryError
from reeltune.search._known import Known
from reeltune.search.channels.plain import plain
from reeltune.search.store import line_file, line_object
from reeltune.search.store.manifest import Manifest
from reeltune.search.store.only import Only
from reeltune.search.store.table import open_table
from reeltune.search.times import as_text
from reeltune.storage.object_path import ObjectPath
from reeltune.storage.place import Place

NAME = "marks.jsonl"
LONGEST = 1000  # letters of a text
Verdict = Literal["right", "wrong", "caption"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
Times = tuple[str, float, float]  # a file, by its id, and from and to which second


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a person says of a moment."""

    id: str  # of the moment and the words together, so there is one verdict on them
    file: str  # the id of the `File`, by its content
    start: float  # seconds
    end: float  # seconds
    text: str  # a query or a caption: one line, NFC, without control characters
    verdict: Verdict  # of a caption, that a person wrote it for the moment
    time: str  # UTC, ISO 8601: when it was made
    path: str | None = None  # of the file, as given at the last indexing; None where it is gone
    location: str | None = None  # absolute, links resolved; None where the library lacks the file
    moment: str | None = None  # the id of the moment of these times, if there is one now


@dataclass(frozen=True)
class Kept:
    """The marks of a library as its file has them."""

    marks: list[Mark] = field(default_factory=list)  # in the order in which they were made
    files: tuple[str, ...] = ()  # every file that ever had one, in the order of the first
    bad: int = 0  # lines that are no marks, and are passed over


class _Line(BaseModel):
    """A line of the file; a later one about the same moment and words takes its place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{24}$")
    file: str = Field(pattern=r"^[0-9a-f]{32}$")
    start: float = Field(ge=0, allow_inf_nan=False)
    end: float = Field(ge=0, allow_inf_nan=False)
    text: str = Field(min_length=1, max_length=LONGEST)
    verdict: Verdict | None  # None: taken back
    time: str = Field(max_length=40)


def write_mark(folder: Place, at: Times, text: str, verdict: Verdict) -> Mark:
    """Keep what is said of a moment, in place of what was said of it with the same words.

    Raises ConfigError for words or a verdict that cannot be kept, and LibraryError where the disk
    does not take it.
    """
    if verdict not in VERDICTS:
        raise ConfigError(f"verdict is {verdict!r}; give {', '.join(VERDICTS)}")
    words = plain(text)
    if not words:
        raise ConfigError("a mark has no words; give what the moment shows, or does not show")
    if len(words) > LONGEST:
        raise ConfigError(f"a mark has {len(words):,} letters; give at most {LONGEST:,}")
    line = _Line(
        id=_id_of(at, words),
        file=at[0],
        start=at[1],
        end=at[2],
        text=words,
        verdict=verdict,
        time=as_text(datetime.now(UTC)),
    )
    _append(folder, line)
    return placed(folder, [_mark(line)])[0]


def remove_mark(folder: Place, id: str) -> Mark:
    """Take a mark back, and return it; raises NotInLibraryError for an id that none has."""
    found = next((mark for mark in read_marks(folder).marks if mark.id == id), None)
    if found is None:
        raise NotInLibraryError(f"{folder} has no mark {id}; list its marks for their ids")
    plainly = {name: getattr(found, name) for name in ("id", "file", "start", "end", "text")}
    line = _Line(**plainly, verdict=None, time=as_text(datetime.now(UTC)))
    _append(folder, line)
    return placed(folder, [found])[0]


def list_marks(folder: Place) -> list[Mark]:
    """Every mark, in the order in which they were made, with the place of its file now."""
    return placed(folder, read_marks(folder).marks)


def read_marks(folder: Place) -> Kept:
    """The marks as they were kept, without a look at the library's files."""
    Manifest.read(folder)  # says where there is no library
    now: dict[str, _Line] = {}
    files: dict[str, None] = {}
    bad = 0
    for text in _lines(folder):
        try:
            line = _Line.model_validate(json.loads(text))
        except (ValueError, RecursionError):
            bad += 1
            continue
        files.setdefault(line.file)
        now.pop(line.id, None)
        now[line.id] = line
    marks = [_mark(line) for line in now.values() if line.verdict is not None]
    return Kept(marks, tuple(files), bad)


def placed(folder: Place, marks: Sequence[Mark]) -> list[Mark]:
    """Marks with the places and moments that the library has of them now."""
    if not marks:
        return []
    files, moments = Known.read(folder).by_video, _moments(folder, {mark.file for mark in marks})
    found = []
    for mark in marks:
        file = files.get(mark.file)
        found.append(
            Mark(
                **{name: getattr(mark, name) for name in _Line.model_fields},
                path=None if file is None else file.path,
                location=None if file is None else file.location,
                moment=moments.get((mark.file, mark.start, mark.end)),
            )
        )
    return found


def _moments(folder: Place, files: Iterable[str]) -> dict[Times, str]:
    """The ids of all moments of some files, by file and times."""
    columns = ["id", "video", "start", "end"]
    condition = Only(videos=tuple(sorted(files))).sql()
    rows = open_table(folder).to_table(columns=columns, filter=condition).to_pylist()
    return {(row["video"], row["start"], row["end"]): row["id"] for row in rows}


def _lines(folder: Place) -> list[bytes]:
    path = folder / NAME
    if isinstance(path, ObjectPath):
        return line_object.read_lines(path)
    return line_file.read_lines(Path(str(path)))


def _append(folder: Place, line: _Line) -> None:
    path, text = folder / NAME, line.model_dump_json().encode()
    if isinstance(path, ObjectPath):
        line_object.append_line(path, text)
    else:
        line_file.append_line(Path(str(path)), text)


def _mark(line: _Line) -> Mark:
    return Mark(**{name: getattr(line, name) for name in _Line.model_fields})


def _id_of(at: Times, text: str) -> str:
    named = json.dumps([*at, text]).encode()
    return hashlib.blake2b(named, digest_size=12).hexdigest()
