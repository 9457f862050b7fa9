"""Moments as clips, all of them in one zip, with a list that says what each of them is."""

import json
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from zipfile import ZIP_STORED, ZipFile

from reeltune.errors import ConfigError, DataError, MediaError, in_short
from reeltune.media.cut import Clip, cut_by, require_span
from reeltune.media.decoder import Decoder
from reeltune.media.limits import Limits
from reeltune.media.names import stem, suffix_of
from reeltune.records import Moment
from reeltune.storage.regular_file import opened

LIST = "clips.json"
MOST = 200  # clips of a zip
LARGEST = 2 << 30  # bytes of all of them
LETTERS = 60  # of the name of a video that the name of a clip has
PICTURE = ".gif"  # of files whose packets fit into no mp4
RESERVED = frozenset('<>:"/\\|?*')  # in names of files, on some systems
Kind = Literal["copy", "exact", "picture"]


@dataclass(frozen=True, kw_only=True)
class SavedClip:
    """A moment that was cut out."""

    name: str  # in the zip
    kind: Kind  # its packets copied, encoded anew, or a GIF whole and as it is
    begins: float  # s of the video at which the clip begins, of a copy a keyframe
    ends: float  # s of the video at which it ends
    size: int  # bytes
    note: str  # what is wrong with it, empty if nothing is
    id: str  # of the moment
    file: str  # the id of its video
    path: str  # of its video
    start: float  # s of the video, of the moment
    end: float
    caption: str | None
    date: str  # as that of the moment


@dataclass(frozen=True, kw_only=True)
class UncutMoment:
    """A moment that could not be cut out."""

    id: str
    reason: str
    path: str | None = None  # None, as its times, where the library has no such moment
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, kw_only=True)
class SavedClips:
    """What became of moments that were to be cut out, in the order in which they were named."""

    out: str  # the zip
    clips: list[SavedClip] = field(default_factory=list)
    left_out: list[UncutMoment] = field(default_factory=list)


def reason_of(error: MediaError) -> str:
    """Why a file cannot be used, as the decoder says it."""
    return error.reason


class ClipArchive:
    """A zip of clips that grows by one at a time, and is whole after `finish`.

    What cannot be cut out is listed and stops nothing. Its methods raise ConfigError where it
    becomes too large, and DataError where it cannot be written.
    """

    def __init__(
        self,
        out: Path,
        exact: bool,
        limits: Limits = Limits(cut=LARGEST),
        why: Callable[[MediaError], str] = reason_of,
    ) -> None:
        """`why` says in the list why a moment is not cut out."""
        self._out, self._exact, self._limits, self._why = out, exact, limits, why
        self._clips: dict[int, SavedClip] = {}
        self._left_out: dict[int, UncutMoment] = {}
        self._pictures: dict[str, tuple[str, Clip]] = {}  # by their ids: each is there once
        self._size = 0

    def __enter__(self) -> "ClipArchive":
        with _writing(), ExitStack() as held:
            self._zip = held.enter_context(ZipFile(self._out, "w", ZIP_STORED))
            self._decoder = held.enter_context(Decoder(limits=self._limits))
            folder = TemporaryDirectory(prefix=".reeltune-clips-", dir=self._out.parent)
            self._folder = Path(held.enter_context(folder))
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with _writing():
            self._held.close()

    def add(self, number: int, moment: Moment, video: Path) -> None:
        """Cut a moment out of its video, as the clip of that number, from 1."""
        cut = self._picture if self._is_picture(moment) else self._cut
        try:
            with _writing():
                self._clips[number] = cut(number, moment, video)
        except MediaError as error:
            self.leave_out(number, moment.id, self._why(error), moment)

    def leave_out(self, number: int, id: str, reason: str, moment: Moment | None = None) -> None:
        """Say why the moment of that number is not cut out."""
        self._left_out[number] = UncutMoment(
            id=id,
            reason=reason,
            path=None if moment is None else moment.path,
            start=None if moment is None else moment.start,
            end=None if moment is None else moment.end,
        )

    def finish(self) -> SavedClips:
        """Write the list, and say what is in it; raises DataError where nothing was cut out."""
        clips = [self._clips[number] for number in sorted(self._clips)]
        left_out = [self._left_out[number] for number in sorted(self._left_out)]
        if not clips:
            why = f"; of the first: {left_out[0].reason}" if left_out else ""
            raise DataError(f"none of these moments can be cut out{why}")
        lists = {"clips": [*map(asdict, clips)], "left_out": [*map(asdict, left_out)]}
        with _writing():
            self._zip.writestr(LIST, json.dumps(lists, indent=2))
        return SavedClips(out=str(self._out), clips=clips, left_out=left_out)

    def _is_picture(self, moment: Moment) -> bool:
        return not self._exact and suffix_of(moment.path) == PICTURE

    def _cut(self, number: int, moment: Moment, video: Path) -> SavedClip:
        made, start, end = self._folder / "clip.mp4", moment.start, moment.end
        try:
            require_span(start, end, self._limits)
        except ConfigError as error:
            raise MediaError(moment.path, str(error)) from error
        try:
            clip = cut_by(self._decoder, video, start, end, made, exact=self._exact)
            name = self._put(number, moment, made)
        finally:
            made.unlink(missing_ok=True)
        return _saved(moment, name, "exact" if self._exact else "copy", clip)

    def _picture(self, number: int, moment: Moment, video: Path) -> SavedClip:
        if moment.file not in self._pictures:
            made = self._folder / f"picture{PICTURE}"
            size = self._copy(moment, video, made)
            whole = Clip(path=str(made), start=0.0, end=moment.duration, size=size, note="")
            self._pictures[moment.file] = self._put(number, moment, made), whole
        name, clip = self._pictures[moment.file]
        return _saved(moment, name, "picture", clip)

    def _copy(self, moment: Moment, video: Path, made: Path) -> int:
        """Copy a file as it is; returns how many bytes it has."""
        with ExitStack() as held:
            try:
                file = held.enter_context(opened(video))
            except OSError as error:
                raise MediaError(moment.path, f"cannot be read: {in_short(error)}") from error
            self._require_room(os.fstat(file.fileno()).st_size)
            shutil.copyfileobj(file, held.enter_context(made.open("wb")))
        return made.stat().st_size

    def _put(self, number: int, moment: Moment, made: Path) -> str:
        """Take a file into the zip; returns its name there."""
        size, name = made.stat().st_size, name_of(number, moment, made.suffix)
        self._require_room(size)
        self._zip.write(made, name)
        self._size += size
        return name

    def _require_room(self, size: int) -> None:
        if self._size + size > LARGEST:
            raise ConfigError(
                f"these clips have more than {LARGEST:,} bytes, which is the most of one zip; take "
                "fewer moments at a time"
            )


def name_of(number: int, moment: Moment, suffix: str) -> str:
    """The name of a clip, which no system reads as a path, and which by its number no other has."""
    of_video = unicodedata.normalize("NFC", stem(os.path.basename(moment.path)))[:LETTERS]
    shown = "".join(map(_harmless, of_video)).strip(" .")
    times = "whole" if suffix == PICTURE else f"{moment.start:.1f}-{moment.end:.1f} s"
    return f"{number:03d} {shown or 'video'} {times}{suffix}"


def _harmless(letter: str) -> str:
    """A letter of a name; marks that cannot be seen, or turn the line around, are none."""
    is_unseen = unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    return "_" if letter in RESERVED or is_unseen else letter


def _saved(moment: Moment, name: str, kind: Kind, clip: Clip) -> SavedClip:
    return SavedClip(
        name=name,
        kind=kind,
        begins=clip.start,
        ends=clip.end,
        size=clip.size,
        note=clip.note,
        id=moment.id,
        file=moment.file,
        path=moment.path,
        start=moment.start,
        end=moment.end,
        caption=moment.caption,
        date=moment.date,
    )


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"the clips cannot be written ({in_short(error)})") from error
