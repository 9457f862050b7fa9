"""SHA-256 of large files, which are read whole only where they may have changed.

The user's cache has, for each file, the SHA-256 that it had with a size, times of change and inode.
"""

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path

from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.cache import cache_folder
from reeltune.storage.regular_file import opened, read_bytes

CHUNK = 1 << 20  # bytes
SETTLED = 2.0  # s; a file that changed less long ago may change once more within one tick


def sha256_of(path: Path, anew: bool = False) -> str:
    """64 hexadecimal digits; `anew` reads the file whatever is known of it.

    Raises OSError for a file that cannot be read, and for what is none.
    """
    place = path.absolute()
    status = place.stat()
    stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    kept = _place_of(place)
    known = _known(kept, str(place), stamp)
    if known is not None and not anew:
        return known
    read = hashlib.sha256()
    with opened(place) as file:
        while chunk := file.read(CHUNK):
            read.update(chunk)
    digest = read.hexdigest()
    if digest != known and time.time() - max(status.st_mtime, status.st_ctime) > SETTLED:
        with suppress(OSError):  # all works without the cache, if slowly
            kept.parent.mkdir(parents=True, exist_ok=True)
            found = {"path": str(place), "stamp": stamp, "sha256": digest}
            write_atomically(kept, json.dumps(found).encode())
    return digest


def _place_of(place: Path) -> Path:
    key = hashlib.blake2b(str(place).encode("utf-8", "surrogateescape"), digest_size=16)
    return cache_folder() / "files" / f"{key.hexdigest()}.json"


def _known(kept: Path, path: str, stamp: list[int]) -> str | None:
    """The SHA-256 that was kept of a file with this stamp."""
    try:
        found = json.loads(read_bytes(kept, 1 << 16))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or (found.get("path"), found.get("stamp")) != (path, stamp):
        return None
    digest = found.get("sha256")
    return digest if isinstance(digest, str) else None
