"""Pictures that clients send to search by, which are kept no longer than that takes."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from reeltune.errors import MediaError
from reeltune.serve.errors import Refusal, log

_reading = threading.BoundedSemaphore(4)  # each has a decoding process


@contextmanager
def kept(picture: BinaryIO) -> Iterator[Path]:
    """A file with a picture; raises Refusal where it turns out to be none, or many are read."""
    if not _reading.acquire(blocking=False):
        raise Refusal(429, "TooMany", "other pictures are being read; send it again in a moment")
    try:
        with TemporaryDirectory(prefix="reeltune-picture-") as folder:
            path = Path(folder) / "picture"
            with path.open("wb") as file:
                shutil.copyfileobj(picture, file)
            yield path
    except MediaError as error:
        log.info("a picture that was sent cannot be read: %s", error.reason)
        raise Refusal(
            400, "NoPicture", "what was sent cannot be read as a picture; send a JPEG, PNG or WebP"
        ) from error
    finally:
        _reading.release()
