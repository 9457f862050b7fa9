"""DiDeMo: 10,464 Flickr videos, the first 30 s of each described (Hendricks et al., ICCV 2017)."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, RootModel

from reeltune.data._annotations import Row, Text, find_file, find_files, read_json
from reeltune.data._videos import list_videos, paragraphs, write_empty
from reeltune.data.splits.by_place import refuse_leak
from reeltune.data.splits.part import PARTS, Part, split_named
from reeltune.data.splits.published import Size, Sizes, sizes
from reeltune.media.names import stem
from reeltune.settings.existing import ExistingPath
from reeltune.types import Caption, Split

HOW = """\
DiDeMo: 10,464 Flickr videos, 41,206 sentences; video and paragraph are retrieved as wholes.

Official page   https://github.com/LisaAnne/LocalizingMoments
                (data/train_data.json, val_data.json, test_data.json; its README says how to get
                the videos)
Terms           annotations BSD 2-clause; videos under the Creative Commons licence of each
                (data/video_licenses.txt).

  FOLDER/
  ├── train_data.json        8,395 videos
  ├── val_data.json          1,065 videos
  ├── test_data.json         1,004 videos
  └── videos/                35034348999@N01_6060447507_dc1a90b8ef.mov ...

Annotation files may lie in FOLDER or in a folder in it (data/). Videos may also lie in
DiDeMo_Videos/, or in FOLDER itself. Any suffix will do, also that of the annotation with .mp4
after it, or a bare dot: the annotations name one video with two suffixes now and then.

A video's caption is all its sentences in the order of the file. Only the first 30 s are shown:
the annotators saw no more.
"""
VIDEOS = ("videos", "DiDeMo_Videos")
ANNOTATED = 30.0  # s


class Moment(Row):
    """One sentence; its times within the video are not used here."""

    video: Text
    description: Text


class Moments(RootModel[list[Moment]]):
    """A file of them."""


class Config(BaseModel):
    """Where DiDeMo lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath

    def read(self, split: Part | str) -> Split:
        """Videos and paragraphs of a split. Raises DataError with the file and key."""
        split = split_named(split)
        find_file(self.folder, [f"{split}_data.json"], "didemo")
        captions = {part: _captions(self.folder, part) for part in PARTS}
        named = {part: {c.video for c in captions[part]} for part in PARTS}
        refuse_leak(named, str(self.folder))
        videos = list_videos(self.folder, VIDEOS, "didemo")
        return videos.split(
            paragraphs(captions[split]), set().union(*named.values()), "paragraph", ANNOTATED
        )

    def published(self) -> Sizes:
        """The published sizes."""
        return sizes(Size(8_395, 8_395), Size(1_065, 1_065), Size(1_004, 1_004))

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three videos in three splits with two sentences each; one is named in two ways."""
        for n, part in enumerate(PARTS):
            name = f"1234567{n}@N01_606044750{n}_dc1a90b8e{n}"
            told = [
                {"video": f"{name}.{suffix}", "description": text, "times": [[1, 1]]}
                | {"num_segments": 6, "annotation_id": 10 * n + k, "dl_link": ""}
                for k, (suffix, text) in enumerate([("mov", "a man bends"), ("mp4", "he rises")])
            ]
            (folder / f"{part}_data.json").write_text(json.dumps(told))
            write_empty(folder / "videos", [f"{name}.mov"])
        return cls(folder=folder)


def _captions(folder: Path, part: Part) -> list[Caption]:
    """Sentences of a split by the names of videos without suffix; empty if there is no file."""
    found = find_files(folder, [f"{part}_data.json"], "didemo")
    moments = [moment for path in found for moment in read_json(path, Moments, "didemo").root]
    return [Caption(stem(moment.video), moment.description) for moment in moments]
