"""MSR-VTT: 10,000 web clips of 10 to 30 s with 20 captions each (Xu et al., CVPR 2016)."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from reeltune.data._annotations import (
    Row,
    Text,
    find_file,
    find_files,
    read_csv,
    read_json,
)
from reeltune.data._videos import Videos, list_videos, write_empty
from reeltune.data.splits.by_place import refuse_leak, take_split
from reeltune.data.splits.part import Part, split_named
from reeltune.data.splits.published import Size, Sizes, held_out, sizes
from reeltune.errors import DataError, counted
from reeltune.features.store import Features
from reeltune.settings.existing import ExistingPath
from reeltune.types import Caption, Split

HOW = """\
MSR-VTT: 10,000 clips, 20 captions each.

Official page   https://www.microsoft.com/en-us/research/publication/msr-vtt-a-large-video-description-dataset-for-bridging-video-and-language/
Captions        https://github.com/ArrowLuo/CLIP4Clip/releases/download/v0.0/msrvtt_data.zip
                (MSRVTT_data.json and the lists of the 9k, 7k and 1kA splits)
Videos          https://www.robots.ox.ac.uk/~maxbain/frozen-in-time/data/MSRVTT.zip
Terms           for research; the clips belong to those who put them on YouTube.

  FOLDER/
  ├── MSRVTT_data.json              or train_val_videodatainfo.json and test_videodatainfo.json
  ├── MSRVTT_train.9k.csv           for options.train=9k
  ├── MSRVTT_train.7k.csv           for options.train=7k
  ├── MSRVTT_JSFUSION_test.csv      for both of these
  ├── videos/ or videos/all/        video0.mp4 ... video9999.mp4
  └── features/                     for options.stored=true: features of frames in place of videos

Annotation files may lie in FOLDER or in a folder in it (annotation/, msrvtt_data/). Videos may
also lie in MSRVTT_Videos/, or in FOLDER itself (TrainValVideo/, TestVideo/); any suffix will do.

--set options.train=9k (the default) and =7k are tested on the 1,000 pairs of 1kA. These splits
have no videos to choose settings by, so 500 training videos are held out as val, always the same
ones, never test videos; --set options.hold_out=0 trains on all, as most papers do, and has no val.
--set options.train=full is the official split, 6,513 / 497 / 2,990 videos, tested with all 20
captions.

--set options.stored=true needs no videos. The recipes of UniVL read S3D features, one row a
second, of https://github.com/microsoft/UniVL/releases/download/v0/msrvtt.zip; convert them once:

  reeltune convert s3d msrvtt_videos_features.pickle FOLDER/features
"""
BOTH = "MSRVTT_data.json"
OFFICIAL_NAMES: dict[Part, str] = {"train": "train", "val": "validate", "test": "test"}
OFFICIAL = ("train_val_videodatainfo.json", "test_videodatainfo.json")
TEST = "MSRVTT_JSFUSION_test.csv"
VIDEOS = ("videos", "MSRVTT_Videos", "Videos")
FEATURES = "features"


class Clip(Row):
    """An entry of `videos` in the JSON files: a clip."""

    video_id: Text
    split: str | None = None  # "train", "validate" or "test" of the official split


class Sentence(Row):
    """An entry of `sentences` in the JSON files: a caption."""

    video_id: Text
    caption: Text


class Annotations(Row):
    """One `videodatainfo` file."""

    videos: list[Clip]
    sentences: list[Sentence]


class Listed(Row):
    """A line of `MSRVTT_train.9k.csv`."""

    video_id: Text


class Tested(Listed):
    """A line of `MSRVTT_JSFUSION_test.csv`."""

    sentence: Text


class Config(BaseModel):
    """Where MSR-VTT lies, and which of its splits is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath
    train: Literal["9k", "7k", "full"] = "9k"
    hold_out: NonNegativeInt = 500  # training videos that are val; "full" has its own val
    stored: bool = False  # clips are features in FOLDER/features, not videos

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        if self.train != "full":
            return {}
        return {"hold_out": "under options.train=full, whose val is published, but by 9k and 7k"}

    @property
    def keeps_features(self) -> bool:
        """Whether clips are stored features of this dataset (`stored`)."""
        return self.stored

    def read(self, split: Part | str) -> Split:
        """Pairs of a split. Raises DataError with the file and the line, key or video."""
        split = split_named(split)
        clips, captions = _published(self.folder)
        videos, ids = self._videos(), {clip.video_id for clip in clips}
        if self.train == "full":
            chosen = _official(clips, split, self.folder)
            return videos.split(_of(captions, chosen, self.folder), ids, "multiple")
        tested = _one_thousand(self.folder)
        if split == "test":
            named = ids | {caption.video for caption in tested}
            return videos.split(tested, named, "single")
        listed = _listed(self.folder, self.train)
        refuse_leak({"train": listed, "test": {c.video for c in tested}}, str(self.folder))
        chosen = take_split(listed, self.hold_out, split)
        return videos.split(_of(captions, chosen, self.folder), ids | listed, "multiple")

    def published(self) -> Sizes:
        """The published sizes of the chosen training split, less what is held out of it."""
        if self.train == "full":
            return sizes(Size(6_513, 130_260), Size(497, 9_940), Size(2_990, 59_800))
        whole = {"9k": 9_000, "7k": 7_010}[self.train]
        return held_out(whole, self.hold_out, 20, Size(1_000, 1_000))

    def features(self, split: Part | str) -> Path | None:
        """The folder of features, one for all splits, where clips are `stored`."""
        split = split_named(split)
        place = self.folder / FEATURES
        if self.stored and not place.is_dir():
            raise DataError(
                f"{place} is not there; make it of UniVL's release with: reeltune convert s3d "
                f"msrvtt_videos_features.pickle {place} (`reeltune datasets msrvtt`)"
            )
        return place if self.stored else None

    def _videos(self) -> Videos:
        """Where each clip is, by its id."""
        stored = self.features("train")
        if stored is None:
            return list_videos(self.folder, VIDEOS, "msrvtt")
        return Videos(stored, {name: stored / name for name in Features(stored).videos}, "msrvtt")

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three clips with two captions each; two are listed for training, one is held out."""
        ids = ["video0", "video1", "video7010"]
        splits = ["train", "train", "test"]
        videos = [
            {"id": n, "video_id": video, "category": 9, "split": part}
            for n, (video, part) in enumerate(zip(ids, splits, strict=True))
        ]
        sentences = [
            {"sen_id": 2 * n + k, "video_id": video, "caption": f"{text} number {n}"}
            for n, video in enumerate(ids)
            for k, text in enumerate(["a toy", "a plaything"])
        ]
        write_empty(folder / "videos" / "all", [f"{video}.mp4" for video in ids])
        everything = {"info": {"year": "2016"}, "videos": videos, "sentences": sentences}
        (folder / "MSRVTT_data.json").write_text(json.dumps(everything))
        (folder / "MSRVTT_train.9k.csv").write_text("video_id\nvideo0\nvideo1\n")
        lines = "key,vid_key,video_id,sentence\nret0,msr7010,video7010,a toy number 2\n"
        (folder / TEST).write_text(lines)
        return cls(folder=folder, hold_out=1)


def _published(folder: Path) -> tuple[list[Clip], list[Caption]]:
    """All clips and all captions, from the file that has both or from the two official ones.

    Both are empty if there is no such file, because 1kA can be tested without it.
    """
    found = find_files(folder, [BOTH], "msrvtt") or find_files(folder, OFFICIAL, "msrvtt")
    files = [read_json(path, Annotations, "msrvtt") for path in found]
    clips = [clip for file in files for clip in file.videos]
    captions = [Caption(s.video_id, s.caption) for file in files for s in file.sentences]
    return clips, captions


def _official(clips: list[Clip], split: Part, folder: Path) -> set[str]:
    """The clips of an official split; raises DataError for one that is of none, or of two."""
    names = OFFICIAL_NAMES.values()
    if stray := next((clip for clip in clips if clip.split not in names), None):
        raise DataError(
            f"{folder}: {stray.video_id} has split {stray.split!r} in the file of its caption, and "
            f"an official split is one of {', '.join(names)}; take the files as they were "
            "published (`reeltune datasets msrvtt`)"
        )
    official = {
        part: {clip.video_id for clip in clips if clip.split == name}
        for part, name in OFFICIAL_NAMES.items()
    }
    refuse_leak(official, str(folder))
    name, chosen = OFFICIAL_NAMES[split], official[split]
    if not chosen:
        raise DataError(
            f"{folder} holds no {BOTH} or {' and '.join(OFFICIAL)} with clips whose split is "
            f"{name!r}; `reeltune datasets msrvtt` says where to get them"
        )
    return chosen


def _one_thousand(folder: Path) -> list[Caption]:
    path = find_file(folder, [TEST], "msrvtt")
    return [Caption(row.video_id, row.sentence) for _, row in read_csv(path, Tested, "msrvtt")]


def _listed(folder: Path, train: str) -> set[str]:
    path = find_file(folder, [f"MSRVTT_train.{train}.csv"], "msrvtt")
    return {row.video_id for _, row in read_csv(path, Listed, "msrvtt")}


def _of(captions: list[Caption], chosen: set[str], folder: Path) -> list[Caption]:
    """Captions of the chosen videos; each must have one."""
    kept = [caption for caption in captions if caption.video in chosen]
    without = sorted(chosen - {caption.video for caption in kept})
    if without:
        raise DataError(
            f"{folder}: no caption of {len(without)} of {counted(len(chosen), 'video')} of this "
            f"split is in {BOTH} or in {' and '.join(OFFICIAL)}, first {without[0]}; "
            "`reeltune datasets msrvtt` says where to get them"
        )
    return kept
