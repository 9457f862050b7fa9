"""Toybox: a generated world of shapes that move, as real mp4 files; nothing is downloaded.

Three colours, two shapes, nine motions, one or two events in a row, twenty captions per clip.
Clips tagged "temporal" have their twin in the same split, the same frames in the opposite order
("a red box moves left" and "... moves right"), which no mean of independent frames tells apart.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from reeltune.data._toybox.make import SIZES, VERSION, Progress, make_toybox
from reeltune.data.splits.part import PARTS, Part, split_named
from reeltune.data.splits.published import Size, Sizes
from reeltune.errors import DataError
from reeltune.storage.cache import cache_folder
from reeltune.types import Pair, Split

HOW = """\
Toybox is made on your machine; there is nothing to download.

  FOLDER/                    $REELTUNE_CACHE/toybox/... (by default ~/.cache/reeltune) if not named
  ├── train.jsonl            one line per clip: video, captions, tags, questions, transcript, mood
  ├── val.jsonl
  ├── test.jsonl
  ├── finished.json          written last
  └── videos/train00000.mp4 ...
"""


class Config(BaseModel):
    """Says which Toybox is meant; it is made when it is first read, and kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = None  # None: in the cache
    size: Literal["tiny", "small", "base"] = "small"
    seed: NonNegativeInt = 0

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
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
        return {part: Size(clips, 20 * clips) for part, clips in SIZES[self.size].items()}

    def read(self, split: Part | str) -> Split:
        split = split_named(split)
        folder = self.make()
        pairs = [
            Pair(
                video=clip["video"],
                path=folder / "videos" / f"{clip['video']}.mp4",
                caption=caption,
                tags=tuple(clip["tags"]),
            )
            for clip in _clips(folder, split)
            for caption in clip["captions"]
        ]
        return Split(pairs=tuple(pairs), captions="multiple")

    def transcript(self, pair: Pair) -> str:
        """What a narrator says in a clip: the motions without the things, and a remark."""
        return _transcripts(self.place())[pair.video]


@lru_cache(maxsize=4)
def _transcripts(folder: Path) -> dict[str, str]:
    """What is said, by video."""
    clips = [clip for split in PARTS for clip in _clips(folder, split)]
    return {clip["video"]: " ".join(one["text"] for one in clip["transcript"]) for clip in clips}


def _clips(folder: Path, split: Part) -> list[dict[str, Any]]:
    path = folder / f"{split}.jsonl"
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); delete {folder} and it is made again"
        ) from error
