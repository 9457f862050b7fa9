"""What is in a library: how much, of what kind, and in which folders."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pyarrow.compute as pc

from reeltune.search.channels.channel import Words
from reeltune.search.store.dataset import Table
from reeltune.search.store.newest import Newest
from reeltune.search.store.schema import CAPTION
from reeltune.search.store.texts import PHRASES
from reeltune.storage.place import Place


class Counted(NamedTuple):
    """What two tables have in them."""

    moments: Table
    texts: Table | None
    facts: dict[str, Any]
    folders: dict[str, int]  # how many files are right in each, in the order of their paths


class Holdings:
    """What is in the library of a folder. It is counted again only where something was written
    since; any number of threads may ask."""

    def __init__(self, folder: Place) -> None:
        self._folder = folder
        self._newest = Newest(folder)
        self._lock = threading.Lock()  # over what follows
        self._counted: Counted | None = None

    def info(self) -> dict[str, object]:
        """Size, settings and contents; raises LibraryError where there is no library, or one that
        cannot be opened."""
        version = self._newest()
        counted = self._count(version.moments, version.texts)
        return {
            "library": str(self._folder),
            **counted.facts,
            "library_bytes": sum(_sizes(self._folder)),
            "version": counted.moments.version,
            "fragments": len(counted.moments.get_fragments()),
            "ann_index": bool(counted.moments.indices()),
            **version.manifest.model_dump(mode="json", exclude_none=True),
        }

    def folders(self) -> dict[str, int]:
        """The folders of the videos, and how many are right in each; raises as `info`."""
        version = self._newest()
        return self._count(version.moments, version.texts).folders

    def _count(self, moments: Table, texts: Table | None) -> Counted:
        with self._lock:
            known = self._counted
            if known is None or known.moments is not moments or known.texts is not texts:
                self._counted = known = _count(moments, texts)
            return known


def info(folder: Place) -> dict[str, object]:
    """Size, settings and contents of a library."""
    return Holdings(folder).info()


def _count(moments: Table, texts: Table | None) -> Counted:
    columns = ["duration", "size", "location"]
    firsts = moments.to_table(columns=columns, filter="part = 0")
    facts = {
        "files": firsts.num_rows,
        "moments": moments.count_rows(),
        **_captions(moments),
        **_phrases(texts),
        "seconds": round(pc.sum(firsts["duration"]).as_py() or 0.0, 1),
        "video_bytes": pc.sum(firsts["size"]).as_py() or 0,
    }
    folders = Counter(map(os.path.dirname, firsts["location"].to_pylist()))
    return Counted(moments, texts, facts, dict(sorted(folders.items())))


def _captions(table: Table) -> dict[str, int]:
    if CAPTION not in table.schema.names:
        return {}
    return {"captions": table.count_rows(filter=f"{CAPTION} is not null")}


def _phrases(table: Table | None) -> dict[str, int]:
    """How many phrases of each channel there are, where words are stored."""
    if table is None:
        return {}
    counts = {name: f"channel = '{name}' AND {PHRASES}" for name in get_args(Words)}
    return {f"phrases_{name}": table.count_rows(filter=some) for name, some in counts.items()}


def _sizes(folder: Place) -> Iterator[int]:
    """Bytes of each file below a folder; what a writer takes away meanwhile has none."""
    if not isinstance(folder, Path):
        yield from (file.stat().st_size for file in folder.rglob("*") if file.is_file())
        return
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                yield os.stat(os.path.join(place, name)).st_size
