"""YouCook2: cooking videos told step by step (Zhou et al., AAAI 2018), as UniVL's release lays
them out: a clip is the span of one step, and its frames are stored features."""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from reeltune.data._annotations import require_folder
from reeltune.data._videos import left_out
from reeltune.data._youcook2 import DATA, LISTS, NAME, SILENT, Steps, listed_in, told_in
from reeltune.data.splits.by_place import refuse_leak, take_split
from reeltune.data.splits.part import Part, split_named
from reeltune.errors import DataError, counted
from reeltune.features.index import Making
from reeltune.features.store import Features
from reeltune.features.writer import FeatureWriter
from reeltune.media.sampling import ROUNDED, Sampling
from reeltune.settings.existing import ExistingPath
from reeltune.types import Pair, Split

HOW = """\
YouCook2: 1,333 training and 457 validation videos of cooking, 13,829 steps with their times.

Official page   http://youcook2.eecs.umich.edu/download
As UniVL has it https://github.com/microsoft/UniVL/releases/download/v0/youcookii.zip
                (lists of videos, captions, S3D features)
Terms           for research; the videos belong to those who put them on YouTube.

  FOLDER/
  ├── youcookii_train.csv      video_id,feature_file; where the lists are absent,
  ├── youcookii_val.csv        the splits are those of the official file
  ├── youcookii_data.json      or the official youcookii_annotations_trainval.json
  └── features/                S3D, one row per second

Training reads no pickle. Convert those of UniVL's release once:

  reeltune convert youcook2 youcookii_data.no_transcript.pickle FOLDER
  reeltune convert s3d youcookii_videos_features.pickle FOLDER/features

What is said in the clips (for V+T) is not in the release, for legal reasons. If you have
youcookii_data.transcript.pickle, convert that one instead. Else make transcripts of the videos
and write youcookii_data.json yourself, for each video lists of one length, NONE where nobody
speaks:

  {"GLd3aX16zBg": {"start": [90], "end": [102], "text": ["spread margarine on two slices"],
                   "transcript": ["so take two slices of bread and"]}}

A clip has the rows from int(start) to int(end), both included, as in UniVL; its id is such as
GLd3aX16zBg#0. As in the papers, test is the list of validation. There are no other videos to
choose settings by, so 100 training videos are held out as val, always the same ones;
--set options.hold_out=0 trains on all, as the papers do, and has no val.
"""
FEATURES = "features"


class Config(BaseModel):
    """Where YouCook2 lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath
    hold_out: NonNegativeInt = 100  # training videos that are val

    @property
    def keeps_features(self) -> bool:
        """Whether the dataset has features of its own; it always has."""
        return True

    def read(self, split: Part | str) -> Split:
        """Clips of a split, one caption each. Raises DataError with the file and line or id."""
        split = split_named(split)
        chosen, listed = self._chosen(split)
        told, features = told_in(self.folder).root, Features(self.features(split))
        untold = [video for video in chosen if video not in told]
        if untold:
            raise DataError(
                f"{self.folder} tells no steps of {len(untold)} of the "
                f"{counted(len(chosen), 'video')} of {split}, first {untold[0]}; take lists and "
                f"captions of one release (`reeltune datasets {NAME}`)"
            )
        clips = [clip for v, name in chosen.items() for clip in _clips(v, told[v], features, name)]
        pairs = tuple(clip for clip in clips if clip.path.name in features)
        if not pairs:
            raise DataError(
                f"{features.folder} has features of none of the {counted(len(chosen), 'video')} of "
                f"{split} (looked for {', '.join([*chosen.values()][:3])}); its videos are called "
                f"such as {features.videos[0]!r} (`reeltune datasets {NAME}`)"
            )
        absent = [clip.video for clip in clips if clip.path.name not in features]
        left = left_out(absent, set(features.videos) - listed, features.folder)
        return Split(pairs=pairs, captions="single", left_out=left)

    def features(self, split: Part | str) -> Path:
        """The folder of features; all splits share one."""
        split = split_named(split)
        require_folder(self.folder, NAME)
        place = self.folder / FEATURES
        if not place.is_dir():
            raise DataError(
                f"{place} is not there; make it of UniVL's release with: reeltune convert s3d "
                f"youcookii_videos_features.pickle {place} (`reeltune datasets {NAME}`)"
            )
        return place

    def transcript(self, pair: Pair) -> str:
        """What is said in a clip; empty if its transcript is NONE.

        Raises DataError where no clip at all has a transcript.
        """
        told = told_in(self.folder)
        if not told.spoken:
            raise DataError(
                f"{self.folder} has no transcript of any clip, since UniVL's release leaves them "
                f"out; put them in {DATA} (`reeltune datasets {NAME}` says how), or train a recipe "
                f"that reads the video alone, such as {NAME}/univl-caption"
            )
        video, _, number = pair.video.rpartition("#")
        return told.root[video].said(int(number))

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three videos of two clips each, two of them for training, of which one is held out."""
        videos = ["GLd3aX16zBg", "4B6j3gYkvr4", "xHr8X2Wpmno"]
        told = {
            video: {
                "start": [0, 2.5],
                "end": [2, 4.25],
                "text": [f"spread margarine on slice {n}", f"flip the sandwich {n} times"],
                "transcript": [f"now take slice {n}", SILENT],
            }
            for n, video in enumerate(videos)
        }
        (folder / DATA).write_text(json.dumps(told))
        for part, listed in (("train", videos[:2]), ("test", videos[2:])):
            lines = "".join(f"{video},{video}\n" for video in listed)
            (folder / LISTS[part]).write_text("video_id,feature_file\n" + lines)
        making = Making(width=4, dtype="float32", sampling="fps 1")
        with FeatureWriter(folder / FEATURES, making) as writer:
            for n, video in enumerate(videos):
                rows = np.arange(20, dtype=np.float32).reshape(5, 4) + 100 * n
                writer.append(video, rows, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
        return cls(folder=folder, hold_out=1)

    def _chosen(self, split: Part) -> tuple[dict[str, str], set[str]]:
        """Feature names of the videos of a split, and the names of all videos."""
        lists = listed_in(self.folder)
        train, test = lists["train"], lists["test"]
        refuse_leak({"train": train.keys(), "test": test.keys()}, str(self.folder))
        named = {*train.values(), *test.values()}
        if split == "test":
            return test, named
        taken = take_split(train, self.hold_out, split)
        return {video: name for video, name in train.items() if video in taken}, named


def _clips(video: str, steps: Steps, features: Features, name: str) -> list[Pair]:
    """A pair for each step of a video."""
    rate = rate_of(features)
    edges = features.edges(name) if name in features else None
    pairs = []
    for number, (start, end) in enumerate(zip(steps.start, steps.end, strict=True)):
        first, last = (start, end) if rate is None else whole_rows(start, end, rate, edges)
        place, text = features.folder / name, steps.text[number]
        pairs.append(
            Pair(video=f"{video}#{number}", path=place, caption=text, start=first, end=last)
        )
    return pairs


def rate_of(features: Features) -> float | None:
    """Features per second, if the folder says that they were taken at even marks."""
    made = features.making.sampling
    return Sampling.parse(made).value if made.startswith("fps") else None


def whole_rows(
    start: float, end: float, rate: float, edges: Float[np.ndarray, " T1"] | None = None
) -> tuple[float, float]:
    """The span, in seconds, of the rows at the marks int(start * rate) to int(end * rate).

    Both marks are included. A row's frame may come before its mark, by what `edges` say: the span
    ends where the first frame comes that is shown after the last mark.
    """
    last = int(end * rate)
    later = () if edges is None else edges[:-1][edges[:-1] > last / rate + ROUNDED]
    return int(start * rate) / rate, min([(last + 1) / rate, *map(float, later[:1])])
