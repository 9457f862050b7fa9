"""Kinetics-400: clips of ten seconds, each of one human action (Kay et al., 2017)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from reeltune.data._annotations import Row, Text, find_file, find_files, read_csv
from reeltune.data._table import READ_COMMA
from reeltune.data._videos import list_videos, write_empty
from reeltune.data.splits.by_place import refuse_leak, take_split
from reeltune.data.splits.part import Part, split_named
from reeltune.data.splits.published import Size, Sizes, held_out
from reeltune.settings.existing import ExistingPath
from reeltune.types import Pair, Split

HOW = """\
Kinetics-400: some 306,000 clips of 10 s, each of one of 400 human actions.

Official page   https://github.com/cvdfoundation/kinetics-dataset  (clips, and lists as CSV)
Terms           the lists CC BY 4.0; the clips belong to those who put them on YouTube.

  FOLDER/
  ├── train.csv              label,youtube_id,time_start,time_end,split
  ├── validate.csv           or val.csv
  ├── train/                 abseiling/0347ZoDXyP0_000095_000105.mp4 ...
  └── val/                   or validate/

Lists may lie in FOLDER or in a folder in it (annotations/). The clips of both may also lie
together in videos/, or in FOLDER itself; with folders of classes or without, under the name
ID_START_END or ID; any suffix will do. Each file is taken as the clip that its line names.

As in the papers, test is the list of validation. There are no other clips to choose settings by
(test.csv is not read), so 500 training clips are held out as val, always the same ones;
--set options.hold_out=0 trains on all, as the papers do, and has no val.
"""
NAME = "kinetics-400"
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False), READ_COMMA]
LISTS = {"train": ["train.csv"], "test": ["validate.csv", "val.csv"]}
VIDEOS = {"train": ["train", "videos"], "test": ["val", "validate", "videos"]}


class Listed(Row):
    """A line of a list."""

    label: Text | None = None
    youtube_id: Text
    time_start: Seconds
    time_end: Seconds

    @property
    def file(self) -> str:
        """The name of its clip: the id and the seconds."""
        return f"{self.youtube_id}_{self.time_start:06.0f}_{self.time_end:06.0f}"


class Config(BaseModel):
    """Where Kinetics-400 lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath
    hold_out: NonNegativeInt = 500  # training clips that are val

    def read(self, split: Part | str) -> Split:
        """Clips of a split with their classes, in the order of the list.

        Raises DataError with the file and line.
        """
        split = split_named(split)
        part: Literal["train", "test"] = "test" if split == "test" else "train"
        find_file(self.folder, LISTS[part], NAME)
        lists = {one: self._listed(one) for one in ("train", "test")}
        train, test = ({row.youtube_id for row in rows} for rows in lists.values())
        refuse_leak({"train": train, "test": test}, str(self.folder))
        chosen = test if split == "test" else take_split(train, self.hold_out, split)
        rows = [row for row in lists[part] if row.youtube_id in chosen]
        aliases = {row.file: row.youtube_id for some in lists.values() for row in some}
        videos = list_videos(self.folder, VIDEOS[part], NAME).renamed(aliases)
        return videos.classified([_pair(row, self.folder) for row in rows], train | test)

    def published(self) -> Sizes:
        """As the paper says: 306,245 clips, of which 50 a class are validation and 100 test."""
        return held_out(246_245, self.hold_out, 1, Size(20_000, 20_000))

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three clips, two of them for training, of which one is held out."""
        clips = {
            "train": [("0347ZoDXyP0", "abseiling"), ("-0ka9nK7YGQ", "air drumming")],
            "validate": [("07x0gGr7fRA", "abseiling")],
        }
        for part, listed in clips.items():
            lines = ["label,youtube_id,time_start,time_end,split\n"]
            for name, action in listed:
                lines.append(f"{action},{name},95,105,{part}\n")
                place = folder / part.removesuffix("idate") / action
                write_empty(place, [f"{name}_000095_000105.mp4"])
            (folder / f"{part}.csv").write_text("".join(lines))
        return cls(folder=folder, hold_out=1)

    def _listed(self, part: str) -> list[Listed]:
        """Every line of a list; none if there is no such file."""
        found = find_files(self.folder, LISTS[part], NAME)
        return [row for path in found[:1] for _, row in read_csv(path, Listed, NAME)]


def _pair(row: Listed, path: Path) -> Pair:
    return Pair(video=row.youtube_id, path=path, caption=row.label or "", answer=row.label)
