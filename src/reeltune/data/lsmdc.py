"""LSMDC: 118,000 clips of 202 films, told for the blind (Rohrbach et al., IJCV 2017)."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from reeltune.data._annotations import Row, Text, find_file, find_files, read_tabs
from reeltune.data._videos import list_videos, one_caption_each, write_empty
from reeltune.data.splits.by_place import refuse_leak
from reeltune.data.splits.part import Part, split_named
from reeltune.data.splits.published import Size, Sizes, sizes
from reeltune.settings.existing import ExistingPath
from reeltune.types import Caption, Split

HOW = """\
LSMDC 2016: clips of films with a sentence of audio description each.

Official page   https://sites.google.com/site/describingmovies/download
Terms           for research, after MPI Informatik has granted you access; not to be passed on.

  FOLDER/
  ├── LSMDC16_annos_training.csv               some 101,000 clips
  ├── LSMDC16_annos_val.csv                    7,408 clips
  ├── LSMDC16_challenge_1000_publictect.csv    1,000 clips, the test ("publictect" is right)
  └── videos/3086_UGLY_TRUTH/
      └── 3086_UGLY_TRUTH_00.23.23.000-00.23.28.886.avi ...

Annotation files may lie in FOLDER or in a folder in it; they have no header, and tabs between
clip, start and end aligned, start and end extracted, and sentence. Videos may also lie in
LSMDC_Videos/, or in FOLDER itself, in one folder per film or without; any suffix will do.

A few training clips have several sentences, which are then used each by itself.
"""
FILES: dict[Part, str] = {
    "train": "LSMDC16_annos_training.csv",
    "val": "LSMDC16_annos_val.csv",
    "test": "LSMDC16_challenge_1000_publictect.csv",
}
COLUMNS = ("clip", "start_aligned", "end_aligned", "start_extracted", "end_extracted", "sentence")
VIDEOS = ("videos", "LSMDC_Videos")


class Line(Row):
    """A line of an annotation file; the clips are cut already, so times are not used."""

    clip: Text
    sentence: Text


class Config(BaseModel):
    """Where LSMDC lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath

    def read(self, split: Part | str) -> Split:
        """Pairs of a split. Raises DataError with the file and line."""
        split = split_named(split)
        find_file(self.folder, [FILES[split]], "lsmdc")
        captions = {part: _captions(self.folder, name) for part, name in FILES.items()}
        named = {part: {caption.video for caption in told} for part, told in captions.items()}
        refuse_leak(named, str(self.folder))
        videos = list_videos(self.folder, VIDEOS, "lsmdc")
        told = captions[split]
        return videos.split(told, set().union(*named.values()), one_caption_each(told))

    def published(self) -> Sizes:
        """Published sizes; for training only the sentences, because some clips have several."""
        return sizes(Size(None, 101_079), Size(7_408, 7_408), Size(1_000, 1_000))

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three clips of three films in three splits."""
        films = ["1001_Flight", "0009_Forrest_Gump", "3086_UGLY_TRUTH"]
        for film, name in zip(films, FILES.values(), strict=True):
            start, end = "00.23.23.000", "00.23.28.886"
            clip = f"{film}_{start}-{end}"
            cells = [clip, start, end, start, end, "SOMEONE stands below, hands on her hips."]
            (folder / name).write_text("\t".join(cells) + "\n")
            write_empty(folder / "videos" / film, [f"{clip}.avi"])
        return cls(folder=folder)


def _captions(folder: Path, name: str) -> list[Caption]:
    """Sentences of a split in the order of the file; empty if there is no file."""
    found = find_files(folder, [name], "lsmdc")
    lines = [line for path in found for line in read_tabs(path, Line, COLUMNS, "lsmdc")]
    return [Caption(line.clip, line.sentence) for line in lines]
