"""Knows what a library already holds, and settles which content each place on disk has now."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from reeltune.errors import DataError, MediaError
from reeltune.media.files import Candidate
from reeltune.search._places import is_below, place_of, status_of
from reeltune.search.store.schema import kept_time
from reeltune.search.store.table import open_table
from reeltune.storage.place import Place

ODD_TIME = "its time of change is not between 1678 and 2262; the nearer of these is kept"
NOTHING = ""  # the content of a place that has no video now
Content = Callable[[Candidate], str]


class Verdict(Enum):
    """A decision about a file."""

    NEW = "new"
    UNCHANGED = "unchanged"
    MOVED = "moved"  # the same content was stored at a place that does not have it any more
    COPY = "copy"  # the same content is stored from another place, which still has it


@dataclass(frozen=True)
class Stored:
    """One indexed file."""

    video: str
    path: str
    location: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Judged:
    """A file with its content and the verdict."""

    file: Candidate
    verdict: Verdict
    video: str
    differs: bool  # the content is stored, with another place, spelling, size or time of change
    contested: bool  # the place is stored as that of another content
    note: str = ""


class Known:
    """Contents and places of a library, and what a run finds out about them.

    A content stays at its place as long as that has it. Otherwise it goes to the first judged file
    that has it. So verdicts can be acted on one by one, except where the place of the file is still
    that of another content, whose fate is known when all files are judged.
    """

    def __init__(self, stored: Iterable[Stored] = (), paths: Sequence[str] = ()) -> None:
        """`paths` are the folders and files that the run is about."""
        self._roots = [place_of(path) for path in paths]
        self.by_video: dict[str, Stored] = {}
        self.by_location: dict[str, list[Stored]] = {}  # one each, unless the library is at fault
        for one in stored:
            self.by_video[one.video] = one
            self.by_location.setdefault(one.location, []).append(one)
        self._found: dict[str, str] = {}  # place -> the content it has now
        self._errors: dict[str, DataError] = {}  # place -> why its content is not known
        self._owner: dict[str, str] = {}  # content -> the place that has it from now on

    @classmethod
    def read(cls, folder: Place, paths: Sequence[str] = ()) -> "Known":
        """What the newest version of a library's table holds; `paths` are those of the run."""
        names = ["video", "path", "location", "size", "modified_ns"]
        rows = open_table(folder).to_table(columns=names, filter="part = 0").to_pylist()
        return cls((Stored(**row) for row in rows), paths)

    def judge(self, file: Candidate, content: Content) -> Judged:
        """The verdict on a file, whose content `content` finds where it has to be read.

        Raises DataError if the file cannot be read, or if its name cannot be stored.
        """
        _require_storable(file)
        given, file = file, replace(file, modified_ns=kept_time(file.modified_ns))
        video = self._content(file, content)
        stored = self.by_video.get(video)
        if video not in self._owner:
            stays = stored is not None and self._holds(stored, content)
            self._owner[video] = stored.location if stored and stays else file.location
        return Judged(
            file=file,
            verdict=self._verdict(file, video),
            video=video,
            differs=stored not in (None, _stored(video, file)),
            contested=any(other.video != video for other in self._at(file.location)),
            note="" if given == file else ODD_TIME,
        )

    def is_unchanged(self, file: Candidate) -> bool:
        """Whether a file has the place, size and time of change of one content that is stored, so
        that it is not read again."""
        likely = self._at(file.location)
        at = file.size, kept_time(file.modified_ns)
        return [(one.size, one.modified_ns) for one in likely] == [at]

    def contents(self, files: Iterable[Candidate]) -> list[str]:
        """The contents of judged files, each once."""
        found = (self._found.get(file.location, NOTHING) for file in files)
        return [content for content in dict.fromkeys(found) if content != NOTHING]

    def displaced(self, content: Content) -> list[str]:
        """Contents that their place has no more and that no judged file has.

        A file below the paths of the run that was not judged, as it does not count as a video any
        more, is looked at as well. A place that cannot be read is taken to have its content still
        if the size is the same; one where nothing is keeps its content (see `_prune.py`).
        """
        rest = [one for one in self.by_video.values() if one.video not in self._owner]
        for one in rest:
            if any(is_below(one.location, root) for root in self._roots):
                self._holds(one, content)
        return [one.video for one in rest if self._found.get(one.location, one.video) != one.video]

    def _verdict(self, file: Candidate, video: str) -> Verdict:
        if self._owner[video] != file.location:
            return Verdict.COPY
        if video not in self.by_video:
            return Verdict.NEW
        stays = self.by_video[video].location == file.location
        return Verdict.UNCHANGED if stays else Verdict.MOVED

    def _at(self, location: str) -> list[Stored]:
        return self.by_location.get(location, [])

    def _holds(self, stored: Stored, content: Content) -> bool:
        """Whether a content is still at its place, which need not be one of the files to judge."""
        try:
            status = status_of(stored.location)
            time = kept_time(status.st_mtime_ns)
            file = Candidate(stored.path, stored.location, status.st_size, time)
            return self._content(file, content) == stored.video
        except (OSError, DataError):
            return False

    def _content(self, file: Candidate, content: Content) -> str:
        """The content at a place. The same size and time of change as the stored ones are taken as
        the same content, which is then not read."""
        at = file.location
        if at in self._errors:
            raise self._errors[at]
        if at not in self._found:
            likely = self._at(at)
            if self.is_unchanged(file):
                self._found[at] = likely[0].video
                return likely[0].video
            try:
                self._found[at] = content(file)
            except DataError as error:
                self._errors[at] = error
                may_be_there = any(one.size == file.size for one in likely)
                if not (isinstance(error.__cause__, OSError) and may_be_there):
                    self._found[at] = NOTHING
                raise
        return self._found[at]


def _require_storable(file: Candidate) -> None:
    """Raise MediaError for a name that is not UTF-8, which no table and no report can hold."""
    try:
        f"{file.path}{file.location}".encode()
    except UnicodeEncodeError as error:
        raise MediaError(file.path, "its name is not UTF-8; rename the file") from error


def _stored(video: str, file: Candidate) -> Stored:
    return Stored(video, file.path, file.location, file.size, file.modified_ns)
