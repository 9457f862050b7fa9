"""Goes through a person's videos, and names those that cannot be read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar

from reeltune.batches.loader import Clip, ClipReader
from reeltune.errors import DataError, MediaError
from reeltune.media.files import Candidate, Listing, said_of
from reeltune.media.progress import Progress
from reeltune.search.report import Failed
from reeltune.types import Pair

AT_ONCE = 16  # videos in memory
Found = TypeVar("Found")  # a dataclass: what a model says about one video


@dataclass
class Outcome(Generic[Found]):
    """What a model said about each video, by its path; and the videos that could not be read."""

    model: str
    videos: dict[str, Found] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what a person should know beside

    def tell(self, found: Listing) -> None:
        """Take note of what was not found and what was passed over."""
        self.failed.extend(Failed(path, why) for path, why in found.faults.items())
        self.notes.extend(said_of(found.passed_over))

    @property
    def exit_code(self) -> int:
        """0: nothing failed; 3: some videos could not be read; 1: none could."""
        if not self.failed:
            return 0
        return 3 if self.videos else 1

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON."""
        videos = [{"path": path, **_plain(found)} for path, found in self.videos.items()]
        return {
            "model": self.model,
            "videos": videos,
            "failed": [asdict(one) for one in self.failed],
            "notes": self.notes,
            "exit_code": self.exit_code,
        }


def _plain(found: Any) -> dict[str, Any]:
    return asdict(found)


def video_by_video(
    outcome: Outcome[Found],
    reader: ClipReader,
    pairs: Mapping[Candidate, Pair],
    says: Callable[[ClipReader, Sequence[Pair]], Sequence[Found]],
    progress: Progress,
) -> None:
    """Add to the outcome what is said about the clip of each file, some files at a time."""
    progress.begin(len(pairs), sum(file.size for file in pairs))
    for some in _chunks(list(pairs.items())):
        clips = _in_hand(reader, [pair for _, pair in some], outcome.failed)
        read = list(clips.clips)
        if read:
            found = says(clips, read)
            outcome.videos |= {str(p.path): one for p, one in zip(read, found, strict=True)}
        for file, _ in some:
            progress.advance(file.path, file.size)


def _chunks(files: list[tuple[Candidate, Pair]]) -> Iterator[list[tuple[Candidate, Pair]]]:
    for start in range(0, len(files), AT_ONCE):
        yield files[start : start + AT_ONCE]


@dataclass(frozen=True)
class _InHand:
    """A `ClipReader` of clips that were read already."""

    policy: str
    clips: Mapping[Pair, Clip]

    def read(self, pair: Pair) -> Clip:
        return self.clips[pair]


def _in_hand(reader: ClipReader, pairs: Sequence[Pair], failed: list[Failed]) -> _InHand:
    """The clips of the pairs, each read once; those that cannot be are added to `failed`."""
    clips: dict[Pair, Clip] = {}
    for pair in pairs:
        try:
            clips[pair] = reader.read(pair)
        except DataError as error:
            reason = error.reason if isinstance(error, MediaError) else str(error)
            failed.append(Failed(str(pair.path), reason))
    return _InHand(reader.policy, clips)
