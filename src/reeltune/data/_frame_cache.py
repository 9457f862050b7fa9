"""Decoded frames on disk, so that a clip is decoded once and not once per epoch.

A file per clip, named after the content of the video, the part of it, and how frames were chosen
and brought to size. When the files together exceed the limit, those read longest ago go first.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from reeltune.data._content import content_hash
from reeltune.data._sample import Sampling
from reeltune.types import Pixels

VERSION = 1  # of what is stored; a new one where the same clip would give other frames
LIMIT = 20 << 30  # bytes
SPARED = 0.9  # of the limit, what is left after an eviction

Frames = UInt8[np.ndarray, "T 3 S S"]


@dataclass(frozen=True)
class Wanted:
    """A clip, and how it is to be read."""

    path: Path
    sampling: Sampling
    pixels: Pixels


class FrameCache:
    """Frames by clip; several processes may share a folder, each keeping to the limit."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        folder.mkdir(parents=True, exist_ok=True)
        self._size = sum(path.stat().st_size for path in folder.glob("*.npy"))
        self._hashes: dict[Path, str] = {}

    def get(self, wanted: Wanted, make: Callable[[Wanted], Frames]) -> Frames:
        """Frames of a clip, from disk or else from `make`, whose errors pass through."""
        file = self.folder / f"{self._key(wanted)}.npy"
        found = _read(file)
        if found is not None:
            return found
        made = make(wanted)
        self._write(file, made)
        return made

    def _key(self, wanted: Wanted) -> str:
        if wanted.path not in self._hashes:
            self._hashes[wanted.path] = content_hash(str(wanted.path))
        geometry = sorted(asdict(wanted.pixels).items())
        facts = (VERSION, self._hashes[wanted.path], str(wanted.sampling), geometry)
        return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()

    def _write(self, file: Path, frames: Frames) -> None:
        half = file.with_name(f".{file.name}.{os.getpid()}")
        with half.open("wb") as opened:
            np.save(opened, frames)
        half.replace(file)
        self._size += frames.nbytes
        if self._size > self.limit:
            self._evict()

    def _evict(self) -> None:
        files = [(path.stat(), path) for path in self.folder.glob("*.npy")]
        self._size = sum(status.st_size for status, _ in files)
        for status, path in sorted(files, key=lambda found: found[0].st_mtime_ns):
            if self._size <= SPARED * self.limit:
                return
            path.unlink(missing_ok=True)
            self._size -= status.st_size


def _read(file: Path) -> Frames | None:
    """Frames of a file, which now counts as read last; none if it is not there or broken."""
    try:
        frames = np.load(file, allow_pickle=False)
        os.utime(file)
    except (OSError, ValueError, EOFError):
        return None
    return frames
