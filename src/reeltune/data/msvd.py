"""MSVD: 1,970 clips of YouTube videos with some 40 captions each (Chen and Dolan, ACL 2011)."""

from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from reeltune.data._annotations import find_file, find_files, read_lines
from reeltune.data._msvd import DESCRIPTIONS, MAPPING, VIDEOS, named_by_alias, two_parts
from reeltune.data._videos import list_videos, write_empty
from reeltune.data.splits.by_place import refuse_leak
from reeltune.data.splits.part import PARTS, Part, split_named
from reeltune.data.splits.published import Size, Sizes, sizes
from reeltune.errors import DataError, counted
from reeltune.settings.existing import ExistingPath
from reeltune.types import Caption, Split

HOW = """\
MSVD: 1,970 short clips, about 40 captions each.

Official page   https://www.cs.utexas.edu/users/ml/clamp/videoDescription/
                (YouTubeClips.tar, AllVideoDescriptions.txt)
Lists           https://github.com/ArrowLuo/CLIP4Clip/releases/download/v0.0/msvd_data.zip
Terms           for research; the clips belong to those who put them on YouTube.

  FOLDER/
  ├── train_list.txt val_list.txt test_list.txt     1,200 / 100 / 670 names of clips, one a line
  ├── AllVideoDescriptions.txt                      name and caption, a space between
  └── videos/                                       -4wsuPCjDBc_5_15.avi ...

or, in place of the two kinds of text files, those of the video captioning field:

  ├── sents_train_lc_nopunc.txt sents_val_... sents_test_...    vid1 and caption, a tab between
  ├── youtube_mapping.txt                                       -4wsuPCjDBc_5_15 vid1

Text files may lie in FOLDER or in a folder in it. Videos may also lie in YouTubeClips/ or
MSVD_Videos/, or in FOLDER itself, under their YouTube name or as vid1 ... where there is a
youtube_mapping.txt; any suffix will do. raw-captions.pkl is never read: a pickle can run code.

All captions are used, in training and in test.
"""
SENTENCES = "sents_{}_lc_nopunc.txt"
LIST = "{}_list.txt"


class Config(BaseModel):
    """Where MSVD lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath

    def read(self, split: Part | str) -> Split:
        """Pairs of a split, named as on YouTube. Raises DataError with the file and line."""
        split = split_named(split)
        aliases = named_by_alias(self.folder, "msvd")
        videos = list_videos(self.folder, VIDEOS, "msvd").renamed(aliases)
        if find_files(self.folder, [SENTENCES.format(split)], "msvd"):
            told = {part: list(_sentences(self.folder, part, aliases)) for part in PARTS}
            clips = {part: {one.video for one in some} for part, some in told.items()}
            refuse_leak(clips, str(self.folder))
            captions = told[split]
            named: Collection[str] = aliases.values()
        else:
            lists = _lists(self.folder, split)
            captions = list(_descriptions(self.folder, lists[split]))
            named = {video for part in lists.values() for video in part}
        return videos.split(captions, named, "multiple")

    def published(self) -> Sizes:
        """The published sizes."""
        return sizes(Size(1_200, 48_774), Size(100, 4_290), Size(670, 27_763))

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three clips in three splits, as the video captioning field writes them."""
        names = ["-4wsuPCjDBc_5_15", "zv2RIbUsnSw_159_162", "zzit5b_-ukg_5_20"]
        write_empty(folder / "YouTubeClips", [f"{name}.avi" for name in names])
        mapping = [f"{name} vid{n}\n" for n, name in enumerate(names, start=1)]
        (folder / MAPPING).write_text("".join(mapping))
        for n, part in enumerate(PARTS, start=1):
            lines = f"vid{n}\ta squirrel is eating\nvid{n}\tan animal eats a nut\n"
            (folder / SENTENCES.format(part)).write_text(lines)
        return cls(folder=folder)


def _sentences(folder: Path, split: Part, aliases: dict[str, str]) -> Iterator[Caption]:
    """Captions of a split; none if there is no file."""
    mapping = find_file(folder, [MAPPING], "msvd")
    for path in find_files(folder, [SENTENCES.format(split)], "msvd"):
        for alias, text in two_parts(path, "\t", "msvd"):
            if alias not in aliases:
                raise DataError(
                    f"{path} has a caption of {alias}, which {mapping} does not name; "
                    "take both files from one source"
                )
            yield Caption(aliases[alias], text)


def _lists(folder: Path, split: Part) -> dict[Part, dict[str, None]]:
    """Names of clips for each split whose list exists; the list of `split` must exist."""
    if find_files(folder, ["raw-captions.pkl"], "msvd") and not find_files(
        folder, [DESCRIPTIONS], "msvd"
    ):
        raise DataError(
            f"{folder} has its captions in raw-captions.pkl, a pickle, which can run code when "
            f"it is read; put {DESCRIPTIONS} of the official page beside it "
            "(`reeltune datasets msvd`)"
        )
    find_file(folder, [LIST.format(split), SENTENCES.format(split)], "msvd")
    found = {part: find_files(folder, [LIST.format(part)], "msvd") for part in PARTS}
    lists = {
        part: {line.strip(): None for _, line in read_lines(paths[0], "msvd")}
        for part, paths in found.items()
        if paths
    }
    refuse_leak(lists, str(folder))
    return lists


def _descriptions(folder: Path, chosen: Collection[str]) -> Iterator[Caption]:
    """Captions of the chosen clips; the file begins with comments."""
    path = find_file(folder, [DESCRIPTIONS], "msvd")
    captions = [
        Caption(name, text) for name, text in two_parts(path, None, "msvd") if name in chosen
    ]
    without = sorted(set(chosen) - {caption.video for caption in captions})
    if without:
        raise DataError(
            f"{path} has no caption of {len(without)} of the "
            f"{counted(len(chosen), 'listed clip')}, first {without[0]}; take the whole file from "
            "the official page (`reeltune datasets msvd`)"
        )
    yield from captions
