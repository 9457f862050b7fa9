"""MSVD-QA: open questions about the clips of MSVD (Xu et al., ACM Multimedia 2017)."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, RootModel

from reeltune.data._annotations import Row, Text, find_file, read_json
from reeltune.data._msvd import MAPPING, VIDEOS, named_by_alias
from reeltune.data._videos import list_videos, write_empty
from reeltune.data.splits.by_place import refuse_leak
from reeltune.data.splits.part import PARTS, Part, split_named
from reeltune.data.splits.published import Size, Sizes, sizes
from reeltune.errors import DataError
from reeltune.settings.existing import ExistingPath
from reeltune.types import Pair, Split

HOW = """\
MSVD-QA: 50,505 questions about the 1,970 clips of MSVD, each with an answer of one word.

Official page   https://github.com/xudejing/video-question-answering  (MSVD-QA.zip)
Clips           https://www.cs.utexas.edu/users/ml/clamp/videoDescription/  (YouTubeClips.tar)
Terms           for research; the clips belong to those who put them on YouTube.

  FOLDER/
  ├── train_qa.json            [{"id": 0, "video_id": 1, "question": "...", "answer": "..."}, ...]
  ├── val_qa.json
  ├── test_qa.json
  ├── youtube_mapping.txt      -4wsuPCjDBc_5_15 vid1: video_id 1 is vid1
  └── videos/                  -4wsuPCjDBc_5_15.avi ...

Files of text may lie in FOLDER or in a folder in it. Clips may also lie in YouTubeClips/ or
MSVD_Videos/, or in FOLDER itself, under their YouTube name or as vid1 ...; any suffix will do.
Where all are called vid1 ..., youtube_mapping.txt may be absent.

Models answer with one of the most frequent answers of train, 1,000 in the papers; other answers
count as wrong. The splits are MSVD-QA's own: 1,200 / 250 / 520 clips, where msvd has others.
"""
NAME = "msvd-qa"
FILE = "{}_qa.json"


class Question(Row):
    """An entry of a file."""

    video_id: int
    question: Text
    answer: str | None = None


class Questions(RootModel[list[Question]]):
    """A file of them."""


class Config(BaseModel):
    """Where MSVD-QA lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath

    def read(self, split: Part | str) -> Split:
        """Questions of a split in the order of the file. Raises DataError with file and key."""
        split = split_named(split)
        names = named_by_alias(self.folder, NAME)
        asked = {part: self._questions(part, names) for part in PARTS}
        listed = {part: {pair.video for pair in pairs} for part, pairs in asked.items()}
        refuse_leak(listed, str(self.folder))
        videos = list_videos(self.folder, VIDEOS, NAME).renamed(names)
        return videos.asked(asked[split], {name for some in listed.values() for name in some})

    def published(self) -> Sizes:
        return sizes(Size(1_200, 30_933), Size(250, 6_415), Size(520, 13_157))

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three clips in three splits."""
        names = ["-4wsuPCjDBc_5_15", "zv2RIbUsnSw_159_162", "zzit5b_-ukg_5_20"]
        write_empty(folder / "YouTubeClips", [f"{name}.avi" for name in names])
        mapping = [f"{name} vid{n}\n" for n, name in enumerate(names, start=1)]
        (folder / MAPPING).write_text("".join(mapping))
        for n, part in enumerate(PARTS, start=1):
            told = {"id": n, "video_id": n, "question": "what is eating?", "answer": "squirrel"}
            other = {"id": n + 3, "video_id": n, "question": "who eats?", "answer": "animal"}
            (folder / FILE.format(part)).write_text(json.dumps([told, other]))
        return cls(folder=folder)

    def _questions(self, part: Part, names: dict[str, str]) -> list[Pair]:
        """Every question of a file, as if its clip were the folder."""
        path = find_file(self.folder, [FILE.format(part)], NAME)
        return [
            Pair(
                video=_named(path, one.video_id, names),
                path=self.folder,
                caption=one.question,
                answer=(one.answer or "").strip() or None,
            )
            for one in read_json(path, Questions, NAME).root
        ]


def _named(path: Path, number: int, names: dict[str, str]) -> str:
    """The name of a clip on YouTube, or its alias where no file tells it."""
    alias = f"vid{number}"
    if names and alias not in names:
        raise DataError(
            f"{path} asks about video_id {number}, and {MAPPING} does not name {alias}; take both "
            f"files from one release (`reeltune datasets {NAME}` names it)"
        )
    return names.get(alias, alias)
