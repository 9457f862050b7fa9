"""Toybox: a generated world of shapes that move, as real mp4 files; nothing is downloaded.

Three colours, two shapes, nine motions, one or two events in a row, twenty captions per clip.
Clips tagged "temporal" have their twin in the same split, the same frames in the opposite order
("a red box moves left" and "... moves right"), which no mean of independent frames tells apart.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from reeltune.data._toybox.make import SIZES, VERSION, Progress, make_toybox
from reeltune.data._toybox.questions import (
    Asked,
    Clips,
    actions,
    motions,
    open_questions,
    things,
    transitions,
)
from reeltune.data._toybox.world import Event, Script
from reeltune.data.splits.part import PARTS, Part, split_named
from reeltune.data.splits.published import Size, Sizes
from reeltune.errors import DataError, in_short
from reeltune.storage.cache import cache_folder
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.text_file import decoded
from reeltune.types import Pair, Split

HOW = """\
Toybox is made on your machine; there is nothing to download.

  FOLDER/                    $REELTUNE_CACHE/toybox/... (by default ~/.cache/reeltune) if not named
  ├── train.jsonl            one line per clip: video, captions, tags, questions, transcript, mood
  ├── val.jsonl
  ├── test.jsonl
  ├── finished.json          written last
  └── videos/train00000.mp4 ...

--set options.asks=NAME says what a model is asked about the clips:

  captions      which clip a caption tells (20 of each)
  action        what a thing does several times, one of 5 options
  transition    what happens before or after everything else, one of 5 options
  what          what a thing does, or which thing does it: one of 15 answers in one or two words
  mood          the mood of a clip and of what is said in it, -3 to 3
  motion        the motion in a clip, or in a half of it: one of 9 classes
  things        which two things a clip of two events shows: one of 15 classes
"""
QUESTIONS: dict[str, Callable[[Clips], list[Asked]]] = {
    "action": actions,
    "transition": transitions,
    "what": open_questions,
    "motion": motions,
    "things": things,
}


class Config(BaseModel):
    """Says which Toybox is meant; it is made when it is first read, and kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = None  # None: in the cache
    size: Literal["tiny", "small", "base"] = "small"
    seed: NonNegativeInt = 0
    asks: Literal["captions", "action", "transition", "what", "mood", "motion", "things"] = (
        "captions"
    )

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """The smallest world, below `folder`."""
        return cls(folder=folder, size="tiny")

    def place(self) -> Path:
        """The folder of this world."""
        name = f"{self.size}-{self.seed}-v{VERSION}"
        return self.folder or cache_folder() / "toybox" / name

    def make(self, progress: Progress | None = None) -> Path:
        """The folder, which is filled if necessary; `progress` is told how many clips are done, of
        how many."""
        return make_toybox(self.place(), self.size, self.seed, progress)

    def published(self) -> Sizes:
        """Clips, and captions where these are asked for: of questions there are as many as fit."""
        told = 20 if self.asks == "captions" else None
        return {
            part: Size(clips, told and told * clips)
            for part, clips in SIZES[self.size].items()
            if self.asks in ("captions", "what", "mood")
        }

    def read(self, split: Part | str) -> Split:
        """Pairs of a split, by what is asked. Raises DataError where no clip can be asked that."""
        split = split_named(split)
        folder = self.make()
        clips = {clip["video"]: clip for clip in _clips(folder, split)}
        pairs = [
            Pair(
                video=asked.id,
                path=folder / "videos" / f"{asked.clip}.mp4",
                caption=asked.text,
                start=asked.start,
                end=asked.end,
                tags=tuple(clips[asked.clip]["tags"]),
                options=asked.options,
                answer=asked.answer,
                rating=asked.rating,
            )
            for asked in self._asked(folder, clips)
        ]
        if not pairs:
            raise DataError(
                f"{folder} has no clip of {split} that can be asked for {self.asks}; take more "
                "clips, such as --set options.size=small"
            )
        once = self.asks in ("mood", "motion", "things")
        return Split(pairs=tuple(pairs), captions="single" if once else "multiple")

    def transcript(self, pair: Pair) -> str:
        """What a narrator says in the whole clip: the motions without the things, and a remark."""
        return _transcripts(self.place())[pair.path.stem]

    def _asked(self, folder: Path, clips: dict[str, dict[str, Any]]) -> list[Asked]:
        """What is asked about the clips of a split, in their order."""
        if self.asks == "captions":
            told = [(video, text) for video, clip in clips.items() for text in clip["captions"]]
            return [Asked(clip=video, id=video, text=text) for video, text in told]
        if self.asks == "mood":  # without the remark, which tells the mood
            said = {video: _said(clip["transcript"][:-1]) for video, clip in clips.items()}
            return [
                Asked(clip=video, id=video, text=said[video], rating=clip["mood"])
                for video, clip in clips.items()
            ]
        events = {video: clip["events"] for video, clip in clips.items()}
        scripts = {v: Script(tuple(Event(**event) for event in e)) for v, e in events.items()}
        return QUESTIONS[self.asks](scripts)


@lru_cache(maxsize=4)
def _transcripts(folder: Path) -> dict[str, str]:
    """What is said, by video."""
    clips = [clip for split in PARTS for clip in _clips(folder, split)]
    return {clip["video"]: _said(clip["transcript"]) for clip in clips}


def _said(lines: list[dict[str, Any]]) -> str:
    return " ".join(line["text"] for line in lines)


def _clips(folder: Path, split: Part) -> list[dict[str, Any]]:
    path = folder / f"{split}.jsonl"
    try:
        return [json.loads(line) for line in decoded(read_bytes(path)).splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({in_short(error)}); delete {folder} and it is made again"
        ) from error
