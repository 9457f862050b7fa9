"""Files that are replaced whole: a crash leaves the old one or the new one, never half."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write a file under, which takes the place of `path` when the block ends.

    Where the block fails, `path` stays as it was and the other name is removed.
    """
    half = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    os.close(os.open(half, NEW, 0o666))  # nobody has laid a link there beforehand
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
