"""Knows what a library already holds, and what that means for a file that is met again."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from reeltune.media.files import Candidate
from reeltune.search.store.table import open_table


class Verdict(Enum):
    """A decision about a file."""

    NEW = "new"
    UNCHANGED = "unchanged"
    TOUCHED = "touched"  # same place and content, another time of change
    MOVED = "moved"  # the same content lay elsewhere and is gone from there
    COPY = "copy"  # the same content is indexed from another place


@dataclass(frozen=True)
class Stored:
    """One indexed file."""

    video: str
    path: str
    location: str
    size: int
    modified_ns: int


@dataclass
class Known:
    """Indexed files by place and by content; also remembers what this run has claimed."""

    by_location: dict[str, Stored] = field(default_factory=dict)
    by_video: dict[str, Stored] = field(default_factory=dict)
    claimed: dict[str, str] = field(default_factory=dict)  # content -> path that has it in hand

    @classmethod
    def read(cls, folder: Path) -> "Known":
        names = ["video", "path", "location", "size", "modified_ns"]
        rows = open_table(folder).to_table(columns=names, filter="part = 0").to_pylist()
        stored = [Stored(**row) for row in rows]
        return cls({s.location: s for s in stored}, {s.video: s for s in stored})

    def is_untouched(self, file: Candidate) -> bool:
        """Whether place, size and time of change agree, which is taken as the same content
        without reading it."""
        stored = self.by_location.get(file.location)
        return stored is not None and (stored.size, stored.modified_ns) == (
            file.size,
            file.modified_ns,
        )

    def judge(self, file: Candidate, content: Callable[[Candidate], str]) -> tuple[Verdict, str]:
        """The verdict by content, and the content's hash, which `content` finds; raises DataError
        if the file cannot be read."""
        if self.is_untouched(file):
            return Verdict.UNCHANGED, self.by_location[file.location].video
        video = content(file)
        if video in self.claimed:
            return Verdict.COPY, video
        self.claimed[video] = file.path
        stored = self.by_video.get(video)
        if stored is None:
            return Verdict.NEW, video
        if stored.location == file.location:
            return Verdict.TOUCHED, video
        if not os.path.exists(stored.location):
            return Verdict.MOVED, video
        return Verdict.COPY, video

    def gone(self, roots: list[str]) -> list[Stored]:
        """Indexed files below `roots` (absolute) that are no longer on disk."""
        return [
            stored
            for stored in self.by_location.values()
            if not os.path.exists(stored.location)
            and stored.video not in self.claimed
            and any(os.path.commonpath([stored.location, root]) == root for root in roots)
        ]
