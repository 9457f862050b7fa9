"""Has a trained model write captions of a person's videos, or of parts of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reeltune.batches.loader import ClipReader
from reeltune.batches.unread import unread
from reeltune.errors import ConfigError
from reeltune.media.files import Scope, find
from reeltune.media.paths import Paths
from reeltune.media.progress import Progress, Silent
from reeltune.media.words import require_words
from reeltune.models.opening.open import load
from reeltune.runs.own_videos import own_videos
from reeltune.runs.video_by_video import Outcome, video_by_video
from reeltune.tasks.finding.judge import task_of
from reeltune.types import Pair

SPOKEN = "transcript"  # the text that a model reads which knows what is said


@dataclass(frozen=True)
class Captioned:
    """What a model wrote about one video."""

    caption: str


class Captioner:
    """A model that writes captions, ready to see videos."""

    def __init__(self, name: str, device: str | None = None) -> None:
        """Open the model in a folder that training wrote.

        Errors: `ConfigError` for one that writes no captions; those of its encoder where it
        cannot read pictures.
        """
        self.model = load(name, device)
        task = task_of(self.model)
        if task.writes is None:
            raise ConfigError(
                f"{name} {task.does} and writes no captions; train a model that does, such as by "
                "reeltune train toybox/univl-caption, and give its folder"
            )
        self._writes, self._own = task.writes, own_videos(self.model, Path(name))
        self._hears = SPOKEN in getattr(self.model, "texts", ())

    @property
    def name(self) -> str:
        """The name by which the model was opened."""
        return self.model.name

    @property
    def fingerprint(self) -> str:
        """That of the model's weights."""
        return self.model.fingerprint

    def notes(self, transcript: str | None = None) -> list[str]:
        """What a person should know of captions that are written with this transcript."""
        notes = list(self._own.notes)
        if self._hears and transcript is None:
            notes.append(
                f"{self.name} learned with what is said in a clip, and writes here without it"
            )
        if transcript is not None:
            cut = unread(self.model.tokenize, [("the transcript", transcript)], "text")
            notes.extend(map(str, cut))
        return notes

    def caption(
        self,
        videos: Paths,
        transcript: str | None = None,
        progress: Progress | None = None,
        *,
        follow: bool = False,
    ) -> Outcome[Captioned]:
        """A caption of each of the videos, or of those in folders; those that cannot be read are
        named in the outcome. `follow` follows links that lead out of the folders.

        Errors: `ConfigError` for a transcript that the model does not read, or of several
        videos; `DataError` for a path that is not there.
        """
        if transcript is not None:
            require_words("the transcript", transcript)
        there = find(videos, Scope(follow=follow))
        files = there.required(videos)
        if transcript is not None and not self._hears:
            raise ConfigError(
                f"{self.name} does not read what is said; leave --transcript out, or train by "
                "reeltune train toybox/univl-caption-speech"
            )
        if transcript is not None and len(files) > 1:
            raise ConfigError(
                f"--transcript is what is said in one video, and {len(files)} are given; caption "
                "each alone"
            )

        def write(clips: ClipReader, pairs: Sequence[Pair]) -> list[Captioned]:
            return list(map(Captioned, self._written(clips, pairs, transcript)))

        found = Outcome[Captioned](self.name, notes=self.notes(transcript))
        pairs = {f: Pair(video=f.location, path=Path(f.path), caption="") for f in files}
        found.tell(there)
        video_by_video(found, self._own.reader, pairs, write, progress or Silent())
        return found

    def parts(self, path: Path, spans: Sequence[tuple[float, float]]) -> list[str]:
        """A caption of each part of a video, from and to so many seconds.

        Errors: `DataError` for a video that cannot be read.
        """
        pairs = [
            Pair(video=f"{path} {start}-{end}", path=path, caption="", start=start, end=end)
            for start, end in spans
        ]
        return self._written(self._own.reader, pairs, None)

    def _written(
        self, clips: ClipReader, pairs: Sequence[Pair], transcript: str | None
    ) -> list[str]:
        said = None if transcript is None else (lambda pair: transcript)
        return self._writes(self.model, clips, pairs, said)


def caption(
    videos: Paths,
    model: str,
    transcript: str | None = None,
    *,
    follow: bool = False,
    device: str | None = None,
) -> Outcome[Captioned]:
    """Have the model in the folder `model` write a caption of each video, or of all videos below a
    folder.

    A model that reads what is said takes the `transcript` of one video. `.videos[path].caption` is
    the caption; `.failed` names videos that cannot be read. `follow` follows links that lead out of
    the folders.
    Errors: `ConfigError` for a model that writes no captions.
    """
    return Captioner(model, device).caption(videos, transcript, follow=follow)
