"""Reads the files of YouCook2: lists of videos, their steps, captions and transcripts."""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, RootModel, model_validator

from reeltune.data._annotations import Row, Text, find_file, find_files, read_csv, read_json
from reeltune.errors import DataError

NAME = "youcook2"
DATA, OFFICIAL = "youcookii_data.json", "youcookii_annotations_trainval.json"
LISTS = {"train": "youcookii_train.csv", "test": "youcookii_val.csv"}
SUBSETS = {"train": "training", "test": "validation"}
SILENT = "NONE"  # what UniVL's file says where there is no transcript
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Steps(Row):
    """Descriptions of a video, step by step, as lists of the same length."""

    start: list[Seconds]
    end: list[Seconds]
    text: list[Text]
    transcript: tuple[str, ...] = ()  # what is said; empty where nobody knows of any step

    @model_validator(mode="after")
    def _fit(self) -> "Steps":
        counts = [len(self.start), len(self.end), len(self.text), len(self.transcript)]
        if len({*counts[:3], counts[3] or counts[2]}) > 1:
            raise ValueError(
                "start, end, text and transcript have "
                f"{', '.join(map(str, counts[:3]))} and {counts[3]} items; give one for each step"
            )
        for start, end in zip(self.start, self.end, strict=True):
            if end <= start:
                raise ValueError(f"a step begins at {start:g} s and ends at {end:g} s")
        return self

    def said(self, number: int) -> str:
        """The transcript of a step; empty if it is NONE."""
        text = self.transcript[number].strip() if self.transcript else SILENT
        return "" if text.upper() == SILENT else text


class Told(RootModel[dict[str, Steps]]):
    """`youcookii_data.json`: steps by video."""

    @cached_property
    def spoken(self) -> int:
        """Steps that have a transcript."""
        videos = self.root.values()
        return sum(bool(steps.said(n)) for steps in videos for n in range(len(steps.text)))


class Step(Row):
    """A step in the official file."""

    segment: tuple[Seconds, Seconds]
    sentence: Text


class Video(Row):
    """A video in the official file."""

    subset: Literal["training", "validation", "testing"]
    annotations: tuple[Step, ...] = ()

    def steps(self) -> Steps:
        return Steps(
            start=[step.segment[0] for step in self.annotations],
            end=[step.segment[1] for step in self.annotations],
            text=[step.sentence for step in self.annotations],
        )


class Annotations(Row):
    """The official file."""

    database: dict[str, Video]


class Listed(Row):
    """A line of `youcookii_train.csv`: a video, and its name among the features."""

    video_id: Text
    feature_file: Text


def told_in(folder: Path) -> Told:
    """Steps by video, from the first of the two files that exists; it is read once."""
    path = find_file(folder, [DATA, OFFICIAL], NAME)
    return _told(path, path.stat().st_mtime_ns)


def listed_in(folder: Path) -> dict[str, dict[str, str]]:
    """Names among the features by video, of `train` and of `test`.

    Raises DataError where one list is there and the other is not.
    """
    found = find_files(folder, [*LISTS.values()], NAME)
    if not found:
        videos = _official(folder)
        return {
            part: {name: name for name, video in videos.items() if video.subset == subset}
            for part, subset in SUBSETS.items()
        }
    return {part: _list(find_file(folder, [name], NAME)) for part, name in LISTS.items()}


def _list(path: Path) -> dict[str, str]:
    """Names among the features by video."""
    listed: dict[str, str] = {}
    for number, row in read_csv(path, Listed, NAME):
        if listed.setdefault(row.video_id, row.feature_file) != row.feature_file:
            raise DataError(
                f"{path}, line {number}: {row.video_id} is there a second time, with another "
                f"feature_file; keep one of the lines (`reeltune datasets {NAME}`)"
            )
    return listed


def _official(folder: Path) -> dict[str, Video]:
    found = find_files(folder, [OFFICIAL], NAME)
    if not found:
        raise DataError(
            f"{folder} and the folders in it hold neither {' and '.join(LISTS.values())} nor "
            f"{OFFICIAL}, so it is not known which videos are of which split; "
            f"`reeltune datasets {NAME}` says where to get them"
        )
    return read_json(found[0], Annotations, NAME).database


@lru_cache(maxsize=4)
def _told(path: Path, changed: int) -> Told:
    if path.name == DATA:
        return read_json(path, Told, NAME)
    return Told(
        {name: video.steps() for name, video in read_json(path, Annotations, NAME).database.items()}
    )
