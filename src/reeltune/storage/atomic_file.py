"""Files that are replaced whole: a crash leaves the old one or the new one, never half."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reeltune.storage.lease import require_held
from reeltune.storage.object_path import ObjectPath
from reeltune.storage.outputs import naming
from reeltune.storage.place import Place

HALF = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")  # names under which `replacing` writes
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write a file under, which takes the place of `path` when the block ends.

    Where the block fails, `path` stays as it was and the other name is removed.
    """
    half = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    os.close(os.open(half, NEW, 0o666))  # nobody has laid a link there beforehand
    try:
        with naming(path, half):
            yield half
            half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def write_atomically(path: Place, content: bytes) -> None:
    """Replace a small file, and wait until the disk, or the store, has it."""
    if isinstance(path, ObjectPath):
        require_held(path)
        path.write(content)
        return
    with replacing(Path(str(path))) as half, half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
