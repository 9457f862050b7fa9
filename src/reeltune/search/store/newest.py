"""The newest version of a library, opened anew only where something was written since.

Searches ask for it each time, and to open tables takes milliseconds. What a writer leaves in any
case is looked at instead: the manifests of both tables, their seals, and that of the library.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from reeltune.search.store import table as _table
from reeltune.search.store import texts as _texts
from reeltune.search.store.dataset import Table
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.search.store.seal import NAME as SEAL
from reeltune.search.store.seal import VERSIONS
from reeltune.storage.place import Place

State = tuple[int, int, int]  # of a file
Trace = tuple[object, ...]  # what writers leave; two that are equal are of one version


@dataclass(frozen=True)
class Version:
    """A library as it is at one time. A table that did not change is the very same object."""

    manifest: Manifest
    moments: Table
    texts: Table | None  # None: it has no words


class Newest:
    """The newest version of the library in a folder; any number of threads may ask for it."""

    def __init__(self, folder: Place) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # over what follows
        self._made: State = (0, 0, 0)  # of the manifest by which tables were opened
        self._trace: Trace | None = None
        self._version: Version | None = None

    def __call__(self) -> Version:
        """That version; raises LibraryError where there is none, or one that cannot be opened."""
        with self._lock:
            known, made = self._version, _state(self._folder / FILE_NAME)
            if (
                known is None
                or self._trace is None
                or self._trace != self._left(made, known.manifest)
            ):
                self._version = known = self._opened(made, known)
            return known

    def _opened(self, made: State, known: Version | None) -> Version:
        """The version. What was left of it is looked at first, so that whatever is written
        meanwhile shows the next time."""
        manifest = Manifest.read(self._folder)
        trace = self._left(made, manifest)
        moments, texts = _table.open_table(self._folder), _texts.open_texts(self._folder)
        if known is not None and made == self._made:
            moments = known.moments if _is_same(known.moments, moments) else moments
            texts = known.texts if _is_same(known.texts, texts) else texts
        self._made, self._trace = made, trace
        return Version(manifest, moments, texts)

    def _left(self, made: State, manifest: Manifest) -> Trace | None:
        """What writers left until now, beside the manifest; None in a store of objects, where to
        look costs as much as to open."""
        if not isinstance(self._folder, Path):
            return None
        tables = (self._folder / (manifest.table or _table.NAME), self._folder / _texts.NAME)
        return (made, *map(_left_in, tables))


def _is_same(known: Table | None, found: Table | None) -> bool:
    if known is None or found is None:
        return False
    return (known.uri, known.version) == (found.uri, found.version)


def _left_in(table: Path) -> tuple[object, ...]:
    try:
        versions = tuple(sorted(os.listdir(table / VERSIONS)))
    except OSError:
        versions = ()
    return versions, _state(table / SEAL)


def _state(file: Place) -> State:
    """What changes when a file is written under another name and renamed."""
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0
    return getattr(found, "st_ino", 0), found.st_mtime_ns, found.st_size
