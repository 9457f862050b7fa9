"""Any dataset in the folders of hybrid_space: frame features and captions (Dong et al., 2021)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from reeltune.data._annotations import find_file, read_lines, require_folder
from reeltune.data._videos import left_out, one_caption_each
from reeltune.data.splits.by_place import refuse_leak
from reeltune.data.splits.part import PARTS, Part, split_named
from reeltune.data.splits.published import Size, Sizes, sizes
from reeltune.errors import DataError, counted
from reeltune.features.official import write_official
from reeltune.features.store import Features
from reeltune.settings.existing import ExistingPath
from reeltune.types import Caption, Pair, Split

HOW = """\
hybrid_space: MSR-VTT, VATEX, TGIF, MSVD or your own, as the code of Dual Encoding keeps them.

Official page   https://github.com/danieljf24/hybrid_space (MSR-VTT and VATEX features)
Terms           those of each dataset.

  FOLDER/
  └── msrvtt10k/                                  the collection
      ├── FeatureData/resnext101-resnet152/       the feature
      │   ├── feature.bin                         float32, row after row, no header
      │   ├── shape.txt                           rows and width
      │   ├── id.txt                              names of rows: video0_0 video0_1 ...
      │   └── video2frames.txt                    may be missing
      └── TextData/
          ├── msrvtt10ktrain.caption.txt          video0#0 a woman is singing ...
          ├── msrvtt10kval.caption.txt
          ├── msrvtt10ktest.caption.txt
          └── tags/
              ├── video_label_th_1.txt            tags of the training videos: may be missing, and
              └── video_label_th_1/tag_vocab_512.json     are then taken from the captions
  └── word2vec/flickr/vec500flickr30m/            word vectors: feature.bin, id.txt, shape.txt; may
                                                  be missing, and words then start at random

Both are used by Dual Encoding where they are there (`reeltune train` says so). The README of
hybrid_space links the vectors (3 GB); its do_vocab_concept.sh makes the tags.

--set options.collection=NAME and --set options.feature=NAME name the folders, and need not be
given where there is only one. Where the splits lie in folders of their own, name them:
--set options.train=tgif --set options.val=tv2016train --set options.test=msrvtt10k; captions are
then in FOLDER/tgif/TextData/tgif.caption.txt. Features of your own videos are made by
`reeltune features VIDEOS --format official --out FOLDER/mine/FeatureData/lite`.

A pair has no file: its path is that of the folder of features and its video's id below it.
"""


PUBLISHED = {  # by the name that a collection has in the code of hybrid_space
    "msrvtt10k": sizes(Size(6_513, 130_260), Size(497, 9_940), Size(2_990, 59_800)),
    "msrvtt10kyu": sizes(Size(7_010, 140_200), Size(1_000, 20_000), Size(1_000, 1_000)),
    "msrvtt10kmiech": sizes(Size(6_656, 133_120), Size(1_000, 20_000), Size(1_000, 1_000)),
    "vatex": sizes(Size(25_991, 259_910), Size(1_500, 15_000), Size(1_500, 15_000)),
    "tgif": sizes(Size(78_799), Size(10_705), Size(11_351)),
    "msvd": sizes(Size(1_200, 48_774), Size(100, 4_290), Size(670, 27_763)),
    "flickr8k": sizes(Size(6_000, 30_000), Size(1_000, 5_000), Size(1_000, 5_000)),
}


class Config(BaseModel):
    """Where the collections lie, and which collection and which feature is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath
    collection: str | None = None  # None: the only one, unless train, val and test are given
    feature: str | None = None  # None: the only one
    train: str | None = None  # a collection for each split
    val: str | None = None
    test: str | None = None

    @property
    def keeps_features(self) -> bool:
        """Whether the dataset has features of its own; it always has."""
        return True

    @model_validator(mode="after")
    def _one_or_three(self) -> "Config":
        given = [n for n in ("collection", *PARTS) if getattr(self, n) is not None]
        if given not in ([], ["collection"], list(PARTS)):
            raise ValueError(
                "give --set options.collection=NAME alone, or options.train, options.val and "
                f"options.test together, with options.collection=null; given are {', '.join(given)}"
            )
        named = [name for name in (self.train, self.val, self.test) if name is not None]
        if len({*named}) < len(named):
            raise ValueError(
                f"options.train, options.val and options.test are {', '.join(named)}, so one "
                "collection would be of two splits; what is learned from must not be tested on, so "
                "name three"
            )
        return self

    def read(self, split: Part | str) -> Split:
        """Pairs of a split. Raises DataError with the file and line."""
        split = split_named(split)
        captions = read_captions(self._captions_file(split))
        features = Features(self.features(split))
        wanted = dict.fromkeys(caption.video for caption in captions)
        pairs = tuple(
            Pair(video=video, path=features.folder / video, caption=text)
            for video, text in captions
            if video in features
        )
        if not pairs:
            raise DataError(
                f"{features.folder} has features of none of the {counted(len(wanted), 'video')} of "
                f"{split} (looked for {', '.join([*wanted][:3])}); its videos are called such as "
                f"{features.videos[0]!r}, so take captions and features of one collection"
            )
        absent = [video for video in wanted if video not in features]
        unnamed = set(features.videos) - self._named(split, wanted)
        return Split(
            pairs=pairs,
            captions=one_caption_each(captions),
            left_out=left_out(absent, unnamed, features.folder),
        )

    def features(self, split: Part | str) -> Path:
        """The folder of features of a split."""
        split = split_named(split)
        below = self._collection(split) / "FeatureData"
        return below / (self.feature or _only(below, "feature"))

    def published(self) -> Sizes:
        """Sizes of the collection, if it was published under this name."""
        return PUBLISHED.get(self.collection or "", {})

    def with_what_is_there(self, promised: Mapping[str, Any]) -> dict[str, str]:
        """Settings that name the collection and the feature.

        Names that are missing, or `promised` and absent, are replaced by those of the only ones in
        the folder.
        """
        if self.train is not None:
            return {}
        require_folder(self.folder, "hybrid-space")
        collection = _chosen(self.folder, "collection", self.collection, promised)
        below = self.folder / collection / "FeatureData"
        feature = _chosen(below, "feature", self.feature, promised)
        return {"collection": collection, "feature": feature}

    @property
    def word_vectors(self) -> Path:
        """Where the released code looks for word vectors."""
        return self.folder / "word2vec" / "flickr" / "vec500flickr30m"

    def tags(self, size: int) -> tuple[Path, Path]:
        """Where the released code looks for tags of the training videos, and for the `size` most
        frequent."""
        folder = self._collection("train") / "TextData" / "tags"
        labels = folder / "video_label_th_1.txt"
        return labels, folder / labels.stem / f"tag_vocab_{size}.json"

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three videos of two frames each, in three splits of one collection."""
        text, feature = folder / "toy" / "TextData", folder / "toy" / "FeatureData" / "made-up"
        text.mkdir(parents=True)
        feature.mkdir(parents=True)
        videos = ["video0", "video1", "video2"]
        for number, (video, part) in enumerate(zip(videos, PARTS, strict=True)):
            lines = f"{video}#0 a toy number {number}\n{video}#1 a plaything\n"
            (text / f"toy{part}.caption.txt").write_text(lines)
        np.arange(24, dtype="<f4").tofile(feature / "feature.bin")
        write_official(feature, dict.fromkeys(videos, 2), 4)
        return cls(folder=folder, collection="toy", feature="made-up")

    def _collection(self, split: Part) -> Path:
        require_folder(self.folder, "hybrid-space")
        name = getattr(self, split) or self.collection or _only(self.folder, "collection")
        return self.folder / name

    def _captions_file(self, split: Part) -> Path:
        collection = self._collection(split)
        part = "" if getattr(self, split) else split
        name = f"{collection.name}{part}.caption.txt"
        return find_file(collection / "TextData", [name], "hybrid-space")

    def _named(self, split: Part, wanted: dict[str, None]) -> set[str]:
        """Videos that have captions in any split of the collection; no two may share one."""
        if getattr(self, split):
            return set(wanted)
        files = {part: self._captions_file(part) for part in PARTS}
        videos = {part: {c.video for c in read_captions(path)} for part, path in files.items()}
        refuse_leak(videos, str(self._collection(split) / "TextData"))
        return set().union(*videos.values())


def read_captions(path: Path) -> list[Caption]:
    """Captions from lines `video#n sentence`; raises DataError for a line of another form."""
    captions = []
    for number, line in read_lines(path, "hybrid-space"):
        name, _, text = line.strip().partition(" ")
        video = name.partition("#")[0].removesuffix(".mp4").removesuffix(".jpg")
        if not video or "#" not in name or not text.strip():
            raise DataError(
                f"{path}, line {number}: got {line!r:.60}, and each line is video#number and a "
                f"sentence, with a space between; correct the line, or take {path.name} from the "
                "data that the README of danieljf24/hybrid_space links (`reeltune datasets "
                "hybrid-space` has its address)"
            )
        captions.append(Caption(video, text.strip()))
    if not captions:
        raise DataError(
            f"{path} holds no caption; `reeltune datasets hybrid-space` says how one is written"
        )
    return captions


def _chosen(folder: Path, what: str, name: str | None, promised: Mapping[str, Any]) -> str:
    """The named folder, or the only one if none is named or the `promised` one is absent."""
    if name is None or (name == promised.get(what) and name not in _names(folder, what)):
        return _only(folder, what, name)
    if name not in _names(folder, what):
        raise DataError(
            f"{folder} holds no {what} {name}, only {', '.join(_names(folder, what)) or 'none'}; "
            f"name one by --set options.{what}=NAME, or, where a command takes no settings, give "
            "one that name (`reeltune datasets hybrid-space`)"
        )
    return name


def _names(folder: Path, what: str) -> list[str]:
    """Collections or features in a folder."""
    below = folder.iterdir() if folder.is_dir() else ()
    names = sorted(p.name for p in below if p.is_dir() and not p.name.startswith("."))
    if what == "collection":
        return [name for name in names if (folder / name / "TextData").is_dir()]
    return names


def _only(folder: Path, what: str, wanted: str | None = None) -> str:
    names = _names(folder, what)
    if len(names) == 1:
        return names[0]
    lacks = f"no {wanted}, but " if wanted else ""
    raise DataError(
        f"{folder} holds {lacks}{len(names)} {what}s ({', '.join(names) or 'none'}); "
        f"name one by --set options.{what}=NAME, or, where a command takes no settings, give one "
        "that name (`reeltune datasets hybrid-space`)"
    )
