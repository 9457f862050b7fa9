"""Your own videos, with captions in a CSV or JSONL file."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from reeltune.data._annotations import (
    Row,
    Text,
    find_file,
    find_files,
    read_csv,
    read_jsonl,
    require_folder,
)
from reeltune.data._copies import find_originals, note_copies, refuse_copies_across
from reeltune.data._nearest import hint, nearest
from reeltune.data._table import READ_COMMA
from reeltune.data._videos import is_video, left_out, one_caption_each, write_empty
from reeltune.data.splits.by_place import refuse_leak, split_by_place
from reeltune.data.splits.part import PARTS, Part, split_named
from reeltune.errors import DataError, NoSplitError, counted
from reeltune.settings.existing import ExistingPath
from reeltune.types import Caption, LeftOut, Pair, Split, collect_left_out

HOW = """\
folder: your own videos. Nothing to download; you write one file.

  FOLDER/
  ├── captions.csv           or captions.jsonl, or any file: --set options.captions=FILE
  ├── beach/children.mp4     videos, in folders of any depth
  └── cat.mov ...

captions.csv has a header, then a line per caption (captions.jsonl: one JSON object a line):

  path,caption,start,end
  beach/children.mp4,children build a castle of sand,,
  cat.mov,"a cat sleeps, then stretches",3.5,9

path      of the video, from FOLDER; or absolute, anywhere
caption   what is to be seen; a video may have several lines
start     optional, seconds; where the moment begins
end       optional, seconds; where it ends
split     optional, train, val or test; in all lines or in none
tags      optional, words; reports show the lines of each tag also alone
label     optional, right or wrong; wrong says that the caption is none of this moment: it is
          learned and tested as no caption, and `reeltune tune` pushes the two apart

Other columns are passed over and named; one that is spelt nearly like one of these, such as strat,
is refused where that one is absent. Tables of spreadsheets are read as they save them: with
commas, semicolons or tabs between cells (.csv, .tsv, .txt), in UTF-8 or UTF-16, with decimal points
or commas; what is in another encoding is refused, and the line named.

Without split, each video gets one by a hash of its path: about
80 % train, 10 % val, 10 % test, so that all captions of a video are in one split and stay there
when you add videos. Files of one content, byte for byte, are one video, called by the first of
their paths by the alphabet. Terms are yours: nothing leaves your machine.
"""
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False), READ_COMMA]
NAMES = ("captions.csv", "captions.jsonl")
READERS = {".csv": read_csv, ".tsv": read_csv, ".txt": read_csv, ".jsonl": read_jsonl}


def _words(tags: Any) -> Any:
    return tags.split() if isinstance(tags, str) else tags


class Line(Row):
    """One caption of a moment, or of a whole video; what stands beside these fields is not read."""

    model_config = ConfigDict(extra="allow")  # so that it can be named

    path: Text
    caption: Text
    start: Seconds = 0.0
    end: Seconds | None = None  # None: to the end of the file
    split: Part | None = None
    tags: Annotated[tuple[str, ...], BeforeValidator(_words)] = ()
    label: Literal["right", "wrong"] = "right"

    @model_validator(mode="after")
    def _ends_after_start(self) -> "Line":
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"end {self.end:g} is not after start {self.start:g}, in seconds")
        return self

    def moment(self, video: str) -> str:
        """Id of what is shown: that of the video, with a media fragment (W3C) for a part of it."""
        if self.start == 0 and self.end is None:
            return video
        end = "" if self.end is None else f"{self.end:.12g}"
        return f"{video}#t={self.start:.12g},{end}"


class Config(BaseModel):
    """The folder of the videos, and the file that describes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath
    captions: ExistingPath | None = None  # None: captions.csv or captions.jsonl in the folder

    def read(self, split: Part | str) -> Split:
        """Pairs of a split; moments of one video have ids of their own.

        Raises DataError with the file and line.
        """
        split = split_named(split)
        require_folder(self.folder, "folder")
        source = self.captions or _captions_in(self.folder)
        lines = _lines(source, self.folder)
        unread = _unread([line for _, line in lines], source)
        there = _files(self.folder) | _elsewhere(lines)
        _refuse_both(lines, source)
        named = {name for name, _ in lines}
        originals = find_originals({name: there[name] for name in named & there.keys()})
        parts = _parts(lines, originals, source)
        of_split = [(name, line) for name, line in lines if parts[name] == split]
        chosen = [(name, line) for name, line in of_split if line.label == "right"]
        if not chosen:
            raise NoSplitError(
                f"{source} has no line whose split is {split}; give some, or leave the column out"
            )
        unnamed = [name for name in there if is_video(name) and name not in named]
        taken = [(originals.get(name, name), line) for name, line in chosen]
        pairs = tuple(_pair(name, line, there[name]) for name, line in taken if name in there)
        wrong = [
            _pair(name, line, there[name])
            for name, line in ((originals.get(name, name), line) for name, line in of_split)
            if line.label == "wrong" and name in there
        ]
        if not pairs:
            wanted = [name for name, _ in chosen]
            raise DataError(_none_there(wanted, unnamed, split, source, self.folder))
        absent = [name for name, _ in of_split if name not in there]
        return Split(
            pairs=pairs,
            captions=one_caption_each(
                [Caption(line.moment(name), line.caption) for name, line in taken]
            ),
            left_out=(
                *left_out((n for n in absent if not os.path.isabs(n)), unnamed, self.folder),
                *collect_left_out("video", ((n, "not there") for n in absent if os.path.isabs(n))),
                *note_copies((name for name, _ in of_split), originals),
                *_note_wrong(wrong),
                *unread,
            ),
            wrong=tuple(wrong),
        )

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three videos with a caption each, in the splits that the file names."""
        write_empty(folder / "beach", ["children.mp4"])
        write_empty(folder, ["cat.mov", "rain.webm"])
        lines = [
            "path,caption,start,end,split,tags",
            "beach/children.mp4,children build a castle of sand,,,train,",
            'cat.mov,"a cat sleeps, then stretches",3.5,9,val,indoors temporal',
            "rain.webm,rain on a window,0,2,test,indoors",
        ]
        (folder / "captions.csv").write_text("\n".join(lines) + "\n")
        return cls(folder=folder)


def _captions_in(folder: Path) -> Path:
    """The file of captions in a folder; raises DataError where it has both kinds."""
    found = find_files(folder, NAMES, "folder")
    if len(found) > 1:
        raise DataError(
            f"{folder} has captions in {' and in '.join(map(str, found))}, of which one alone "
            "would be read; keep the one that is meant, or name it by --set options.captions=FILE"
        )
    return found[0] if found else find_file(folder, NAMES, "folder")


def _unread(lines: Sequence[Line], source: Path) -> Sequence[LeftOut]:
    """The note about columns, or keys, that are not read.

    Raises DataError for one whose name is nearly that of a field which no line has.
    """
    other = sorted({name for line in lines for name in line.model_extra or () if name})
    there = {name for line in lines for name in line.model_fields_set}
    lacking = [name for name in Line.model_fields if name not in there]
    for name in other:
        if close := nearest([name.lower()], lacking):
            raise DataError(
                f"{source}: {name!r} is not read, and there is no {close[1]}, which it is spelt "
                f"like; call it {close[1]} if that is meant, or take it out (`reeltune datasets "
                "folder` describes the file)"
            )
    told = ((name, "passed over, as it is none of those that are read") for name in other)
    return collect_left_out("column", told, missing=False)


def _lines(source: Path, folder: Path) -> list[tuple[str, Line]]:
    """Each line with its video's name, which is its path from the folder."""
    if source.suffix.lower() not in READERS:
        raise DataError(
            f"{source} is none of {', '.join(READERS)}; `reeltune datasets folder` says how to "
            "write one"
        )
    rows = list(READERS[source.suffix.lower()](source, Line, "folder"))
    if not rows:
        raise DataError(
            f"{source} holds no caption; `reeltune datasets folder` says how to write one"
        )
    return [(_name(line.path, folder, f"{source}, line {number}"), line) for number, line in rows]


def _name(path: str, folder: Path, place: str) -> str:
    """The path from the folder, or an absolute one outside of it, in one spelling: accents composed
    (NFC), forward slashes."""
    absolute = os.path.abspath(folder / path)
    relative = Path(os.path.relpath(absolute, os.path.abspath(folder))).as_posix()
    if relative.split("/")[0] == "..":
        if not os.path.isabs(path):
            raise DataError(
                f"{place}, path: {path!r} is not inside {folder}; name the folder that holds all "
                "videos, or write absolute paths"
            )
        relative = Path(absolute).as_posix()
    return unicodedata.normalize("NFC", relative)


def _elsewhere(lines: list[tuple[str, Line]]) -> dict[str, Path]:
    """Files outside of the folder that lines name by absolute paths, by name, if they are there."""
    paths = {name: Path(line.path) for name, line in lines if os.path.isabs(name)}
    return {name: path for name, path in paths.items() if path.is_file()}


def _refuse_both(lines: list[tuple[str, Line]], source: Path) -> None:
    """Raise DataError for a caption that is right and wrong for one moment."""
    labels: dict[tuple[str, str], str] = {}
    for name, line in lines:
        if labels.setdefault((line.moment(name), line.caption), line.label) != line.label:
            raise DataError(
                f"{source}: {line.caption!r:.60} is labelled right and wrong for "
                f"{line.moment(name)}; keep one of the lines"
            )


def _note_wrong(wrong: Sequence[Pair]) -> Sequence[LeftOut]:
    """The note about captions that were called wrong."""
    told = ((pair.caption, "labelled wrong, so no caption of its moment") for pair in wrong)
    return collect_left_out("caption", told, missing=False)


def _files(folder: Path) -> dict[str, Path]:
    """Files in the folder and all below, by name; hidden folders are passed over."""
    found = {}
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            found[unicodedata.normalize("NFC", path.relative_to(folder).as_posix())] = path
    return found


def _parts(
    lines: list[tuple[str, Line]], originals: dict[str, str], source: Path
) -> dict[str, Part]:
    """The split of each video: the one in the file, or else one by a hash of its name.

    Copies are in the split of their original.
    """
    names = [name for name, _ in lines]
    given: dict[str, Part] = {name: line.split for name, line in lines if line.split}
    if not given:
        parts = split_by_place(originals.get(name, name) for name in names)
        return {name: parts[originals.get(name, name)] for name in names}
    without = [name for name, line in lines if not line.split]
    if without:
        raise DataError(
            f"{source}: no split is given in {len(without)} of {counted(len(lines), 'line')}, "
            f"first that of {without[0]}; give train, val or test in all lines, or leave the "
            "column out"
        )
    listed = {part: {name for name, line in lines if line.split == part} for part in PARTS}
    refuse_leak(listed, str(source))
    refuse_copies_across(given, originals, source)
    return given


def _pair(name: str, line: Line, path: Path) -> Pair:
    return Pair(
        video=line.moment(name),
        path=path,
        caption=line.caption,
        start=line.start,
        end=line.end,
        tags=line.tags,
    )


def _none_there(
    wanted: list[str], unnamed: list[str], split: str, source: Path, folder: Path
) -> str:
    return (
        f"{folder} holds none of the {counted(len(wanted), 'video')} that {source} names for "
        f"{split} (looked for {', '.join(wanted[:3])}{hint(wanted, unnamed)}); `reeltune datasets "
        "folder` says how paths are written"
    )
