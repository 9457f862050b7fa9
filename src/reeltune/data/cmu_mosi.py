"""CMU-MOSI: spans of videos in which a speaker gives an opinion (Zadeh et al., 2016), each with
what is said, features of what is seen and heard, and the sentiment from -3 to 3."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from reeltune.data._annotations import Row, Text, find_file, read_csv
from reeltune.data._table import READ_COMMA
from reeltune.data._videos import left_out
from reeltune.data.splits.by_place import refuse_leak
from reeltune.data.splits.part import PARTS, Part, split_named
from reeltune.data.splits.published import Size, Sizes, sizes
from reeltune.errors import DataError, counted
from reeltune.features.index import Making
from reeltune.features.store import Features
from reeltune.features.writer import FeatureWriter
from reeltune.settings.existing import ExistingPath
from reeltune.types import Pair, Split, collect_left_out

HOW = """\
CMU-MOSI: 2,199 spans of 93 videos in which a speaker gives an opinion of a film, with its
sentiment.

Official page   http://multicomp.cs.cmu.edu/resources/cmu-mosi-dataset/
Labels          https://github.com/thuiar/MMSA  (label.csv, with the official splits)
Terms           for research; the videos belong to those who put them on YouTube.

  FOLDER/
  ├── label.csv      video_id,clip_id,text,label,mode: what is said, the sentiment from -3 to 3,
  │                  and train, valid or test; other columns are passed over
  ├── features/      of what is seen, in the format of docs/features.md
  └── audio/         of what is heard, in the same format; may be absent where no model reads it

A span is called VIDEO_CLIP, such as 03bSnISJMiM_1. Nothing that is published has features in
this format, and no pickle is read. Make features of the clips (Raw/03bSnISJMiM/1.mp4, renamed to
their span), or write arrays that you have, such as those of S3D or COVAREP, span by span:

  from reeltune.features.index import Making
  from reeltune.features.writer import FeatureWriter
  with FeatureWriter("FOLDER/audio", Making(width=74, dtype="float32", sampling="fps 1")) as out:
      for name, rows in arrays.items():      # rows are (T, 74), and the times are their edges in s
          out.append(name, rows, [float(n) for n in range(len(rows) + 1)])
"""
NAME = "cmu-mosi"
LABELS = "label.csv"
MODES: dict[Part, str] = {"train": "train", "val": "valid", "test": "test"}
Seen = Literal["features", "audio"]


class Span(Row):
    """A line of the labels."""

    video_id: Text
    clip_id: Text
    text: Text | None = None
    label: Annotated[float, Field(ge=-3, le=3), READ_COMMA] | None = None
    mode: Literal["train", "valid", "test"]

    @property
    def name(self) -> str:
        """The name under which its features are kept."""
        return f"{self.video_id}_{self.clip_id}"


class Config(BaseModel):
    """Where CMU-MOSI lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath

    @property
    def keeps_features(self) -> bool:
        """Whether the dataset has features of its own; it always has."""
        return True

    def read(self, split: Part | str) -> Split:
        """Spans of a split in the order of the file: what is said, and the sentiment.

        Raises DataError with the file and line.
        """
        split = split_named(split)
        spans = self._spans()
        refuse_leak(
            {part: {s.video_id for s in spans if s.mode == MODES[part]} for part in PARTS},
            str(self.folder / LABELS),
        )
        features = Features(self.features(split))
        asked = [span for span in spans if span.mode == MODES[split]]
        there = [span for span in asked if span.name in features]
        pairs = tuple(
            Pair(
                video=span.name,
                path=features.folder / span.name,
                caption=span.text,
                rating=span.label,
            )
            for span in there
            if span.text and span.label is not None
        )
        if not pairs:
            raise DataError(
                f"{features.folder} has features of none of the {counted(len(asked), 'span')} of "
                f"{split} that have text and label (looked for "
                f"{', '.join(s.name for s in asked[:3])}); its spans are called such as "
                f"{features.videos[0]!r} (`reeltune datasets {NAME}`)"
            )
        absent = [span.name for span in asked if span.name not in features]
        unnamed = set(features.videos) - {span.name for span in spans}
        untold = [(s.name, "without text or label") for s in there if not s.text or s.label is None]
        left = left_out(absent, unnamed, features.folder) + collect_left_out("video", untold)
        return Split(pairs=pairs, captions="single", left_out=left)

    def features(self, split: Part | str) -> Path:
        """The folder of features of what is seen; all splits share one."""
        return self._stored(split, "features")

    def audio(self, split: Part | str) -> Path:
        """The folder of features of what is heard, under the same names."""
        return self._stored(split, "audio")

    def published(self) -> Sizes:
        return sizes(Size(1_284, 1_284), Size(229, 229), Size(686, 686))

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three spans of three videos in three splits."""
        videos = ["03bSnISJMiM", "0h-zjBukYpk", "1DmNV9C1hbY"]
        lines = ["video_id,clip_id,text,label,annotation,mode\n"]
        for n, (video, part) in enumerate(zip(videos, PARTS, strict=True)):
            lines.append(f"{video},{n},I LOVED IT {n} TIMES,{n - 0.6:.1f},Neutral,{MODES[part]}\n")
        (folder / LABELS).write_text("".join(lines))
        for place, width in (("features", 4), ("audio", 3)):
            making = Making(width=width, dtype="float32", sampling="fps 1")
            with FeatureWriter(folder / place, making) as writer:
                for n, video in enumerate(videos):
                    rows = np.arange(2 * width, dtype=np.float32).reshape(2, width) + n
                    writer.append(f"{video}_{n}", rows, [0.0, 1.0, 2.0])
        return cls(folder=folder)

    def _spans(self) -> list[Span]:
        path = find_file(self.folder, [LABELS], NAME)
        spans: dict[str, Span] = {}
        for number, span in read_csv(path, Span, NAME):
            if span.name in spans:
                raise DataError(
                    f"{path}, line {number}: {span.name} is there a second time; give each span "
                    "one line"
                )
            spans[span.name] = span
        return list(spans.values())

    def _stored(self, split: Part | str, name: Seen) -> Path:
        split_named(split)
        place = self.folder / name
        if not place.is_dir():
            raise DataError(
                f"{place} is not there, and the features are read from it; `reeltune datasets "
                f"{NAME}` says how to write them"
            )
        return place
