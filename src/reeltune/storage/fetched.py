"""Files of an object store on the disk of this machine, for as long as they are read."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from reeltune.errors import MediaError, in_short
from reeltune.storage.object_path import ObjectPath
from reeltune.storage.place import URL

PIECE = 8 << 20  # bytes that are in memory at a time
SPARE = 1 << 28  # bytes that are left free on the disk


def is_in_store(location: str) -> bool:
    """Whether a file lies in an object store."""
    return URL.match(location) is not None


@contextmanager
def on_disk(location: str, told: Callable[[int], None] | None = None) -> Iterator[Path]:
    """The file at a location as a path of this machine: itself, or a copy that is removed after.

    `told` is told how many bytes were fetched, and stops that by raising. Raises MediaError for an
    object that cannot be fetched, or that the disk has no room for.
    """
    if not is_in_store(location):
        yield Path(location)
        return
    with TemporaryDirectory(prefix="reeltune-", ignore_cleanup_errors=True) as folder:
        yield _fetch(ObjectPath.of(location), Path(folder), told)


def _fetch(path: ObjectPath, folder: Path, told: Callable[[int], None] | None) -> Path:
    copy, done = folder / f"video{Path(path.name).suffix}", 0
    try:
        size, free = path.stat().st_size, shutil.disk_usage(folder).free
        if size > free - SPARE:
            raise MediaError(
                str(path),
                f"has {size:,} bytes, and {folder.parent} has {free:,} free; set TMPDIR to a place "
                "with more",
            )
        with copy.open("wb") as file:
            for piece in path.pieces(PIECE):
                done += len(piece)
                if done > size:
                    raise MediaError(str(path), "changed while it was fetched; run again")
                file.write(piece)
                if told is not None:
                    told(done)
    except OSError as error:
        raise MediaError(str(path), f"cannot be fetched: {in_short(error)}") from error
    return copy
