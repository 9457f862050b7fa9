"""Files of one content under several names: one video in one split, and said so."""

import os
import re
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from reeltune.data._copies import find_originals
from reeltune.data.folder import Config
from reeltune.data.splits.part import PARTS
from reeltune.errors import DataError
from reeltune.storage.content import content_hash

Clip = Callable[..., Path]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> list[Path]:
    """Twelve different clips of one colour each."""
    folder = tmp_path_factory.mktemp("clips")
    return [clip(folder / f"{n}.mp4", (20 * n, 100, 0), seconds=0.2) for n in range(12)]


def write_copies(folder: Path, clips: list[Path], times: int, split: str = "") -> Config:
    """So many copies of each clip, with a caption each."""
    folder.mkdir()
    lines = ["path,caption,split"]
    for turn in range(times):
        for clip in clips:
            name = f"{turn}-{clip.name}"
            shutil.copy(clip, folder / name)
            lines.append(f"{name},caption {turn},{split}")
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return Config(folder=folder)


def test_no_content_is_in_two_splits(tmp_path: Path, clips: list[Path]) -> None:
    config = write_copies(tmp_path / "own", clips, times=4)
    splits = [config.read(part) for part in PARTS]
    contents = [{content_hash(str(pair.path)) for pair in split.pairs} for split in splits]
    assert all(not one & other for one, other in combinations(contents, 2))
    assert sum(len(split.pairs) for split in splits) == 48
    assert sum(split.videos for split in splits) == len(set.union(*contents)) == 12


def test_copies_are_one_video_called_by_the_first_name(tmp_path: Path, clips: list[Path]) -> None:
    split = write_copies(tmp_path / "own", clips[:1], times=3, split="test").read("test")
    assert [(pair.video, pair.path.name) for pair in split.pairs] == [("0-0.mp4", "0-0.mp4")] * 3
    assert [pair.caption for pair in split.pairs] == ["caption 0", "caption 1", "caption 2"]
    assert split.captions == "multiple"
    assert [str(entry) for entry in split.left_out if not entry.missing] == [
        "2 files (of the same content as another, so one video with it): 1-0.mp4 (as 0-0.mp4), "
        "2-0.mp4 (as 0-0.mp4)"
    ]


def test_forty_copies_of_one_clip_cannot_be_split(tmp_path: Path, clips: list[Path]) -> None:
    wanted = (
        "1 video cannot be split in train, val and test, where copies of a file count as one; "
        "caption at least three"
    )
    with pytest.raises(DataError, match=wanted):
        write_copies(tmp_path / "own", clips[:1], times=40).read("train")


def test_copies_in_two_splits_of_the_file_are_refused(tmp_path: Path, clips: list[Path]) -> None:
    config = write_copies(tmp_path / "own", clips[:2], times=2, split="test")
    captions = tmp_path / "own" / "captions.csv"
    captions.write_text(captions.read_text().replace("caption 0,test", "caption 0,train"))
    wanted = (
        "captions.csv: 1-0.mp4, whose split is test, is a copy by content of 0-0.mp4, whose split "
        "is train; what is learned from must not be tested on, so give both the same split, or "
        "leave one out"
    )
    for part in PARTS:
        with pytest.raises(DataError, match=re.escape(wanted)):
            config.read(part)


def test_moments_of_copies_are_moments_of_one_video(tmp_path: Path, clips: list[Path]) -> None:
    config = write_copies(tmp_path / "own", clips[:1], times=2)
    lines = ["path,caption,start,split", "0-0.mp4,a,0.1,val", "1-0.mp4,b,0.1,val"]
    (tmp_path / "own" / "captions.csv").write_text("\n".join(lines) + "\n")
    assert [pair.video for pair in config.read("val").pairs] == ["0-0.mp4#t=0.1,"] * 2


def test_only_files_of_one_size_are_compared_and_none_that_is_empty_or_not_there(
    tmp_path: Path,
) -> None:
    contents = {"b": b"same", "a": b"same", "c": b"else", "d": b"longer", "e": b"", "f": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    os.symlink(tmp_path / "nowhere", tmp_path / "g")
    files = {name: tmp_path / name for name in (*contents, "g")}
    assert find_originals(files) == {"b": "a"}
