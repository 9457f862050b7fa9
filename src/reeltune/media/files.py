"""Which files are videos to be read, and what is passed over."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reeltune.errors import ConfigError, DataError, in_short
from reeltune.media._excluded import IGNORE_FILE, Excluded
from reeltune.media._in_store import EXCLUDED, kinds_below
from reeltune.media._passed_over import content_kind, folder_kind, name_kind, suffix_kind
from reeltune.media.names import suffix_of
from reeltune.media.paths import Paths, each_of
from reeltune.media.words import each_text, require_words
from reeltune.records import LeftOut, collect_left_out
from reeltune.storage.fetched import is_in_store
from reeltune.storage.home import from_home
from reeltune.storage.object_path import ObjectPath

OUT = "out of the folder (followed with --follow)"
ANYWAY = "to a folder that is looked at where it lies"
CALLED = {"file": "other file", "folder": "other folder", "link": "link"}  # in sentences


@dataclass(frozen=True)
class Candidate:
    """A file that may be indexed; `path` is as the user gave it."""

    path: str
    location: str  # absolute, links resolved
    size: int
    modified_ns: int
    root: str = ""  # the folder that was given, or that of a file which was given by name


@dataclass(frozen=True)
class Scope:
    """What is looked for in folders.

    - `everything` takes hidden files, and what systems, storage boxes and cameras keep for
      themselves.
    - `follow` follows links to files and folders that lie outside of all that was given.
    - `more` are suffixes of files that are taken beside videos, such as `.jpg`.
    - `exclude` are patterns in the way of .gitignore, relative to each folder that is given.
    - `beside` names the files that are read with a video, such as its subtitles; these are not
      passed over.
    """

    everything: bool = False
    follow: bool = False
    more: frozenset[str] = frozenset()
    exclude: tuple[str, ...] = ()
    beside: Callable[[Path], Iterable[Path]] | None = None


@dataclass
class Listing:
    """Videos of the folders and files that were given, and what else lies there."""

    files: list[Candidate] = field(default_factory=list)
    passed_over: tuple[LeftOut, ...] = ()  # files, folders and links, by kind
    faults: dict[str, str] = field(default_factory=dict)  # path -> why nothing is found there
    excluded: list[str] = field(default_factory=list)  # locations, of files and whole folders,
    # and never outside of what was given, unless links are followed

    def required(self, paths: Paths) -> list[Candidate]:
        """The videos; raises DataError if there is none, saying what lies at `paths` instead."""
        if self.files:
            return self.files
        if not (paths := each_of(paths)):
            raise DataError("got no path; give a video or a folder of videos")
        instead = [*said_of(self.passed_over)]
        instead += [f"{path} {why}" for path, why in self.faults.items() if path not in paths]
        listed = f" ({'; '.join(instead)})" if instead else ""
        raise DataError(f"there is no video in {', '.join(paths)}{listed}; give a folder of videos")


def merged_patterns(kept: Sequence[str], added: str | Sequence[str]) -> tuple[str, ...]:
    """Patterns in the order in which they count, the last most: one that is given anew counts as
    given now. Raises ConfigError for one that is not UTF-8."""
    added = each_text(added)
    for pattern in added:
        require_words("the pattern", pattern)
    return *(pattern for pattern in kept if pattern not in added), *dict.fromkeys(added)


def said_of(passed_over: Iterable[LeftOut]) -> list[str]:
    """What was passed over, in a sentence each for files, folders and links."""
    lines = []
    for what, called in CALLED.items():
        kinds = {one.reason: one.count for one in passed_over if one.what == what}
        if count := sum(kinds.values()):
            listed = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())
            were = "s were" if count > 1 else " was"
            lines.append(f"{count:,} {called}{were} passed over: {listed}")
    return lines


def find(paths: Paths, scope: Scope = Scope()) -> Listing:
    """Videos named by `paths`, in a stable order; a folder stands for the videos below it.

    A file given by name is taken whatever it is called and holds. Objects of a store below a place
    such as `s3://bucket/films` are known by their names alone. In folders a video is known by
    its suffix, or else by its first bytes. Links to files within the folders are followed, others
    as the scope says. Raises DataError for a path that is not there, and ConfigError for an empty
    one or a pattern that is none.
    """
    listed = each_of(paths)
    search = _Search(listed, scope)
    for path in listed:
        search.all_below(path)
    return search.found()


class _Search:
    """One search over all paths, which remembers what it met."""

    def __init__(self, paths: Sequence[str], scope: Scope) -> None:
        self._roots = [os.path.realpath(from_home(path)) for path in paths if not is_in_store(path)]
        self._scope = scope
        self._files: dict[str, Candidate] = {}  # by location
        self._passed: dict[str, list[tuple[str, str]]] = {what: [] for what in CALLED}
        self._faults: dict[str, str] = {}
        self._excluded: dict[str, None] = {}
        self._searched: set[str] = set()  # places of folders, below the path whose turn it is

    def found(self) -> Listing:
        self._passed["file"] = self._unread()
        passed = (
            collect_left_out(what, reasons, missing=False) for what, reasons in self._passed.items()
        )
        return Listing(
            list(self._files.values()),
            tuple(one for kinds in passed for one in sorted(kinds, key=lambda one: -one.count)),
            self._faults,
            [place for place in self._excluded if place not in self._files],
        )

    def _unread(self) -> list[tuple[str, str]]:
        """The files that were passed over, without those that are read with a video."""
        passed = self._passed["file"]
        if self._scope.beside is None:
            return passed
        videos = [Path(place) for place in self._files if not is_in_store(place)]
        read = {str(path) for video in videos for path in self._scope.beside(video)}
        names = {os.path.basename(path) for path in read}
        return [
            (path, kind)
            for path, kind in passed
            if os.path.basename(path) not in names or os.path.realpath(path) not in read
        ]

    def all_below(self, given: str) -> None:
        """Take a file, or the videos of a folder; notes where a folder has none."""
        if is_in_store(given):
            self._all_in_store(ObjectPath.of(given))
            return
        path = from_home(given)
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except FileNotFoundError as error:
            raise DataError(f"{path} is not there; give a video or a folder of videos") from error
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}; give another one") from error
        if not is_folder:
            self._take(str(path), str(path.parent))
            return
        noted = len(self._faults) + len(self._excluded)
        files = list(self._below(str(path)))
        for file in files:
            self._take(file, str(path))
        if not files and noted == len(self._faults) + len(self._excluded):
            self._faults[given] = "holds no video"

    def _all_in_store(self, root: ObjectPath) -> None:
        """Take an object, or those below a place of a store whose names are those of videos."""
        if root.is_file():
            self._take_object(root, root.parent)
            return
        found, has_any = False, False
        for path, kind in kinds_below(root, self._scope.exclude, self._scope.everything):
            has_any = True
            if kind:
                self._passed["file"].append((str(path), kind))
                if kind == EXCLUDED:
                    self._excluded[str(path)] = None
            else:
                found = True
                self._take_object(path, root)
        if not has_any:
            raise DataError(f"{root} is not there; give a video or a place with videos")
        if not found:
            self._faults[str(root)] = "holds no video"

    def _take_object(self, path: ObjectPath, root: ObjectPath) -> None:
        state, location = path.stat(), str(path)
        made = Candidate(location, location, state.st_size, state.st_mtime_ns, str(root))
        self._files.setdefault(location, made)

    def _below(self, root: str) -> Iterator[str]:
        excluded = Excluded(root, self._scope.exclude)
        self._searched = {os.path.realpath(root)}
        for folder, subfolders, names in os.walk(
            root, onerror=self._note_unlisted, followlinks=True
        ):
            if not self._entered(folder, excluded):
                subfolders.clear()
                continue
            subfolders[:] = [n for n in sorted(subfolders) if self._enters(folder, n, excluded)]
            yield from (
                os.path.join(folder, name)
                for name in sorted(names)
                if self._takes(folder, name, excluded)
            )

    def _note_unlisted(self, error: OSError) -> None:
        self._faults[os.fsdecode(error.filename)] = f"may not be read: {error.strerror}"

    def _entered(self, folder: str, excluded: Excluded) -> bool:
        try:
            excluded.enter(folder)
        except (OSError, ValueError, ConfigError) as error:
            said = in_short(error)
            self._faults[folder] = f"is passed over, as its {IGNORE_FILE} cannot be read: {said}"
            return False
        return True

    def _enters(self, folder: str, name: str, excluded: Excluded) -> bool:
        path = os.path.join(folder, name)
        if excluded.excludes(folder, name, is_folder=True):
            return self._pass_over("folder", path, EXCLUDED)
        kind = "" if self._scope.everything else folder_kind(name)
        if kind:
            return self._pass_over("folder", path, kind)
        return self._follows_to_folder(path)

    def _follows_to_folder(self, path: str) -> bool:
        """Whether a folder, or what a link leads to, is searched now, and was not before."""
        place = os.path.realpath(path)
        if self._is_not_followed(path):
            return self._pass_over("link", path, OUT)
        if os.path.islink(path) and (not self._leads_out(place) or place in self._searched):
            return self._pass_over("link", path, ANYWAY)
        is_new = place not in self._searched
        self._searched.add(place)
        return is_new

    def _is_not_followed(self, path: str) -> bool:
        return (
            not self._scope.follow
            and os.path.islink(path)
            and self._leads_out(os.path.realpath(path))
        )

    def _leads_out(self, place: str) -> bool:
        return not any(Path(place).is_relative_to(root) for root in self._roots)

    def _takes(self, folder: str, name: str, excluded: Excluded) -> bool:
        path = os.path.join(folder, name)
        if excluded.excludes(folder, name, is_folder=False):
            return self._pass_over("file", path, EXCLUDED)
        is_wanted = suffix_of(name) in self._scope.more
        kind = "" if self._scope.everything else name_kind(name)
        kind = kind or ("" if is_wanted else suffix_kind(name))
        if not kind and self._is_not_followed(path):  # so it is not even looked at
            return self._pass_over("link", path, OUT)
        kind = kind or ("" if is_wanted else content_kind(path))
        return not kind or self._pass_over("file", path, kind)

    def _pass_over(self, what: str, path: str, kind: str) -> bool:
        self._passed[what].append((path, kind))
        if kind == EXCLUDED and not self._is_not_followed(path):
            self._excluded[os.path.realpath(path)] = None
        return False

    def _take(self, path: str, root: str) -> None:
        location = os.path.realpath(path)
        try:
            status = os.stat(location)
        except OSError as error:
            if os.path.lexists(path):  # else it was removed since its folder was listed
                self._faults[path] = f"is a link that leads nowhere: {error.strerror}"
            return
        made = Candidate(str(Path(path)), location, status.st_size, status.st_mtime_ns, root)
        self._files.setdefault(location, made)
