"""Asks a trained model about a person's videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from reeltune.batches.unread import unread
from reeltune.errors import ConfigError
from reeltune.media.files import Scope, find
from reeltune.media.paths import Paths
from reeltune.media.progress import Progress, Silent
from reeltune.media.words import each_text, require_words
from reeltune.models.opening.open import load
from reeltune.runs.own_videos import own_videos
from reeltune.runs.video_by_video import Outcome, video_by_video
from reeltune.tasks.finding.ask import Reply, replies
from reeltune.tasks.finding.asking import Given
from reeltune.tasks.finding.judge import task_of
from reeltune.types import Pair

LACKING: dict[Given, str] = {  # what a model needs, and how it is given
    "question": 'a question; give it after the videos, as in reeltune ask clip.mp4 "what moves?"',
    "options": "answers to choose from; give them by --options A,B,C",
    "said": "what is said in the video; give it by --said TEXT",
}
NEEDLESS: dict[Given, str] = {  # what a model does not read
    "question": "reads no question; leave {} out",
    "options": "is offered no answers; leave --options {} out",
    "said": "does not read what is said; leave --said {} out",
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a model is asked about a video; each kind of model reads a part of it."""

    question: str = ""
    options: tuple[str, ...] = ()  # the answers to choose from
    said: str = ""  # what is said in the video

    def texts(self) -> list[tuple[str, str]]:
        """Every text that is given, after what it is."""
        given = [("the question", self.question), ("what is said", self.said)]
        given += [("the option", option) for option in self.options]
        return [(what, text) for what, text in given if text]


class Questioner:
    """A model that is asked, ready to see videos."""

    def __init__(self, name: str, device: str | None = None) -> None:
        """Open the model in a folder that training wrote.

        Errors: `ConfigError` for one that is not asked; those of its encoder where it cannot
        read pictures.
        """
        self.model = load(name, device)
        task = task_of(self.model)
        if task.asking is None:
            raise ConfigError(
                f"{name} {task.does} and is not asked; train a model that is, such as by reeltune "
                "train toybox-what/univl, and give its folder"
            )
        self._asking, self._does = task.asking, task.does
        self._own = own_videos(self.model, Path(name))

    def ask(
        self,
        videos: Paths,
        question: Question,
        progress: Progress | None = None,
        *,
        follow: bool = False,
    ) -> Outcome[Reply]:
        """The reply about each of the videos, or of those in folders; those that cannot be read
        are named in the outcome. `follow` follows links that lead out of the folders.

        Errors: `ConfigError` for a question that lacks what the model reads, or has what it does
        not; `DataError` for a path that is not there.
        """
        self._require(question)
        there = find(videos, Scope(follow=follow))
        files = there.required(videos)
        if question.said and len(files) > 1:
            raise ConfigError(
                f"--said is what is said in one video, and {len(files)} are given; ask about each "
                "alone"
            )
        text = question.question or question.said
        pairs = {
            file: Pair(
                video=file.location, path=Path(file.path), caption=text, options=question.options
            )
            for file in files
        }
        found = Outcome[Reply](self.model.name, notes=[*self._own.notes, *self._cut(question)])
        found.tell(there)
        video_by_video(
            found,
            self._own.reader,
            pairs,
            lambda clips, some: replies(self.model, self._asking, clips, some),
            progress or Silent(),
        )
        return found

    def _require(self, question: Question) -> None:
        for what, text in question.texts():
            require_words(what, text)
        for name in get_args(Given):
            given, wanted = getattr(question, name), name in self._asking.gives
            if given and not wanted:
                said = NEEDLESS[name].format(",".join([given] if isinstance(given, str) else given))
                raise ConfigError(f"{self.model.name} {self._does} and {said}")
            if wanted and not given:
                raise ConfigError(f"{self.model.name} {self._does} and needs {LACKING[name]}")
        options = [option.strip() for option in question.options]
        if options and (len({*options}) < max(2, len(options)) or "" in options):
            raise ConfigError(
                f"the options are {', '.join(map(repr, question.options))}, and wanted are two or "
                "more that differ, none of them empty"
            )

    def _cut(self, question: Question) -> list[str]:
        """Which texts the model reads only in part, or not at all."""
        return [str(entry) for entry in unread(self.model.tokenize, question.texts(), "text")]


def ask(
    videos: Paths,
    model: str,
    question: str = "",
    *,
    options: str | Sequence[str] = (),
    said: str = "",
    follow: bool = False,
    device: str | None = None,
) -> Outcome[Reply]:
    """Ask the model in the folder `model` about each video, or about all videos below a folder.

    One that chooses wants a `question` and `options`, one that answers from its own list a
    `question`, one that names a class nothing, and one that rates what is `said` in one video.
    `.videos[path].answers` are the answers, best first, or `.rating`; `.failed` names videos that
    cannot be read. `follow` follows links that lead out of the folders.
    Errors: `ConfigError` for a model that is not asked so.
    """
    asked = Question(question=question, options=tuple(each_text(options)), said=said)
    return Questioner(model, device).ask(videos, asked, follow=follow)
