"""Files that are replaced whole: a crash leaves the old one or the new one, never half."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write a file under, which takes the place of `path` when the block ends.

    Where the block fails, `path` stays as it was and the other name is removed.
    """
    half = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield half
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a small file, and wait until the disk has it."""
    with replacing(path) as half, half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
