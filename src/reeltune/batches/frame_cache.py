"""Decoded frames on disk, so that a clip is decoded once and not once per epoch.

A file per clip, named after the content of the video, the part of it, and how frames were chosen
and brought to size. When the files together exceed the limit, those read longest ago go first.
"""

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from reeltune.media.sampling import Sampling
from reeltune.storage.atomic_file import replacing
from reeltune.storage.content import known_hash
from reeltune.types import Pixels

VERSION = 2  # of what is stored; a new one where the same clip would give other frames
# Not .npy, as once: numpy reads its header by Python's parser, which fails at times in 3.11 where
# several threads parse at once. Files of that kind are left to the eviction.
KINDS = (".safetensors", ".npy")
LIMIT = 20 << 30  # bytes
SPARED = 0.9  # of the limit, what is left after an eviction
ABANDONED = 3600.0  # s after which a half-written file is that of a process that died

Frames = UInt8[np.ndarray, "_ 3 S S"]  # as many as the clip has


@dataclass(frozen=True)
class Wanted:
    """A clip, and how it should be read."""

    path: Path
    sampling: Sampling
    pixels: Pixels


class FrameCache:
    """Frames by clip; several processes may share a folder, each keeping to the limit."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        folder.mkdir(parents=True, exist_ok=True)
        self._drop_abandoned()
        self._size = sum(status.st_size for status, _ in self._entries())
        self._evicting = threading.Lock()

    def get(self, wanted: Wanted, make: Callable[[Wanted], Frames]) -> Frames:
        """Frames of a clip, from disk or else from `make`, whose errors pass through."""
        file = self.folder / f"{self._key(wanted)}{KINDS[0]}"
        found = _read(file)
        if found is not None:
            return found
        made = make(wanted)
        self._write(file, made)
        return made

    def _key(self, wanted: Wanted) -> str:
        geometry = sorted(asdict(wanted.pixels).items())
        facts = (VERSION, known_hash(wanted.path), str(wanted.sampling), geometry)
        return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()

    def _write(self, file: Path, frames: Frames) -> None:
        with replacing(file) as half:
            half.write_bytes(save({"frames": frames}))
            size = half.stat().st_size
        with self._evicting:
            self._size += size
            if self._size > self.limit:
                self._evict()

    def _evict(self) -> None:
        files = self._entries()
        self._size = sum(status.st_size for status, _ in files)
        for status, path in sorted(files, key=lambda found: found[0].st_mtime_ns):
            if self._size <= SPARED * self.limit:
                return
            path.unlink(missing_ok=True)
            self._size -= status.st_size

    def _drop_abandoned(self) -> None:
        for kind in KINDS:
            for status, path in self._files(f".*{kind}.*"):
                if status.st_mtime < time.time() - ABANDONED:
                    path.unlink(missing_ok=True)

    def _entries(self) -> list[tuple[os.stat_result, Path]]:
        return [found for kind in KINDS for found in self._files(f"*{kind}")]

    def _files(self, pattern: str) -> list[tuple[os.stat_result, Path]]:
        """Files that exist, whatever other processes delete meanwhile."""
        found = []
        for path in self.folder.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                found.append((path.stat(), path))
        return found


def _read(file: Path) -> Frames | None:
    """Frames of a file, which now counts as read last; None if it is absent or broken."""
    try:
        frames = load_file(file)["frames"]
        os.utime(file)
    except (OSError, SafetensorError, KeyError):
        return None
    return frames if frames.ndim == 4 and frames.dtype == np.uint8 else None
