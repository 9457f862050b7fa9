"""ActivityNet Captions: some 15,000 videos told in paragraphs (Krishna et al., ICCV 2017)."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, RootModel

from reeltune.data._annotations import Row, Text, find_file, find_files, read_json
from reeltune.data._videos import list_videos, paragraphs, write_empty
from reeltune.data.splits.by_place import refuse_leak, take_split
from reeltune.data.splits.part import Part, split_named
from reeltune.data.splits.published import Size, Sizes, held_out
from reeltune.settings.existing import ExistingPath
from reeltune.types import Caption, Split

HOW = """\
ActivityNet Captions: 10,009 training videos and the 4,917 of val1, told in paragraphs.

Official page   https://cs.stanford.edu/people/ranjaykrishna/densevid/  (captions.zip)
Videos          http://activity-net.org/download.html  (by a request form)
Terms           for research; the videos belong to those who put them on YouTube.

  FOLDER/
  ├── train.json
  ├── val_1.json
  └── videos/                v_uqiMw7tQ1Cc.mp4 ...

Annotation files may lie in FOLDER or in a folder in it (captions/). Videos may also lie in
Activity_Videos/, or in FOLDER itself; any suffix will do, and v_ may be absent.

A video's caption is all its sentences in order, and the whole video is shown. As in the papers,
test is val1. The benchmark has no other videos to choose settings by (val_2.json tells those of
val1 again), so 500 training videos are held out as val, always the same ones;
--set options.hold_out=0 trains on all, as most papers do, and has no val.
"""
VIDEOS = ("videos", "Activity_Videos")


class Told(Row):
    """Descriptions of a video; the times of the sentences are not used here."""

    sentences: Annotated[list[Text], Field(min_length=1)]


class Videos(RootModel[dict[str, Told]]):
    """A file of them, by id."""


class Config(BaseModel):
    """Where ActivityNet Captions lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath
    hold_out: NonNegativeInt = 500  # training videos that are val

    def read(self, split: Part | str) -> Split:
        """Videos and paragraphs of a split. Raises DataError with the file and key."""
        split = split_named(split)
        find_file(self.folder, ["val_1.json" if split == "test" else "train.json"], "activitynet")
        train, test = (_captions(self.folder, name) for name in ("train.json", "val_1.json"))
        listed, tested = ({caption.video for caption in told} for told in (train, test))
        refuse_leak({"train": listed, "test": tested}, str(self.folder))
        if split != "test":
            chosen = take_split(listed, self.hold_out, split)
            train = [caption for caption in train if caption.video in chosen]
        named = listed | tested
        bare = {video.removeprefix("v_"): video for video in named}
        videos = list_videos(self.folder, VIDEOS, "activitynet").renamed(bare)
        told = test if split == "test" else train
        return videos.split(paragraphs(told), named, "paragraph")

    def published(self) -> Sizes:
        """The published sizes, less what is held out of training."""
        return held_out(10_009, self.hold_out, 1, Size(4_917, 4_917))

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three videos, two of them for training, of which one is held out."""
        told = {
            "duration": 55.15,
            "timestamps": [[0.28, 55.15], [13.79, 54.32]],
            "sentences": ["A weight lifting tutorial is given.", "  The coach helps the guy."],
        }
        train = {"v_QOlSCBRmfWY": told, "v_ehGHCYKzyZ8": told}
        (folder / "train.json").write_text(json.dumps(train))
        (folder / "val_1.json").write_text(json.dumps({"v_uqiMw7tQ1Cc": told}))
        names = ["v_QOlSCBRmfWY.mp4", "v_ehGHCYKzyZ8.mkv", "uqiMw7tQ1Cc.mp4"]
        write_empty(folder / "videos", names)
        return cls(folder=folder, hold_out=1)


def _captions(folder: Path, name: str) -> list[Caption]:
    """Every sentence of a file with its video; empty if there is no file."""
    found = find_files(folder, [name], "activitynet")
    files = [read_json(path, Videos, "activitynet").root for path in found]
    return [Caption(v, text) for told in files for v, one in told.items() for text in one.sentences]
