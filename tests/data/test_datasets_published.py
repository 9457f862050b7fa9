"""Datasets against the annotation files as published; empty files stand for the videos."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal
from zipfile import ZipFile

import numpy as np
import pytest

from reeltune.data import activitynet, didemo, lsmdc, msrvtt, msvd
from reeltune.data.splits.part import PARTS
from reeltune.evaluation.protocols import split_hash
from reeltune.features.official import write_official
from reeltune.features.store import FeatureReader, Features
from reeltune.recipes.read import read_recipe, recipe_names
from reeltune.types import Split


def videos_of(split: Split) -> set[str]:
    return {pair.video for pair in split.pairs}


def touch(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()


@pytest.fixture(scope="module")
def annotated(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with a copy of a benchmark's annotation files."""

    def copy(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        for path in (shared_data / "annotations" / name).iterdir():
            shutil.copyfile(path, folder / path.name)
        return folder

    return copy


@pytest.fixture(scope="module")
def msrvtt_folder(annotated: Callable[[str], Path]) -> Path:
    folder = annotated("msrvtt")
    for archive in folder.glob("*.zip"):
        ZipFile(archive).extractall(folder / archive.stem)
    touch(folder / "videos" / "all", (f"video{n}.mp4" for n in range(10_000)))
    return folder


def test_msrvtt_9k_trains_on_9000_videos_with_20_captions_each(msrvtt_folder: Path) -> None:
    split = msrvtt.Config(folder=msrvtt_folder, hold_out=0).read("train")
    assert len(videos_of(split)) == 9_000
    assert len(split.pairs) == 180_000
    assert split.captions == "multiple"
    assert not split.left_out


def test_msrvtt_9k_holds_out_500_videos_of_train_and_none_of_test(msrvtt_folder: Path) -> None:
    train, val, test = (msrvtt.Config(folder=msrvtt_folder).read(part) for part in PARTS)
    assert [len(videos_of(split)) for split in (train, val, test)] == [8_500, 500, 1_000]
    assert len(videos_of(train) | videos_of(val) | videos_of(test)) == 10_000
    assert len(val.pairs) == 500 * 20


def test_msrvtt_7k_is_the_official_train_and_val(msrvtt_folder: Path) -> None:
    split = msrvtt.Config(folder=msrvtt_folder, train="7k", hold_out=0).read("train")
    assert videos_of(split) == {f"video{n}" for n in range(7_010)}
    assert not split.left_out, "the JSON files name the other videos"


def test_msrvtt_1ka_has_1000_pairs_of_which_9_cannot_be_told_apart(msrvtt_folder: Path) -> None:
    split = msrvtt.Config(folder=msrvtt_folder).read("test")
    assert len(split.pairs) == len(videos_of(split)) == 1_000
    assert split.captions == "single"
    shared = [n for n in Counter(pair.caption for pair in split.pairs).values() if n > 1]
    assert (sum(shared), len(shared)) == (9, 4)


def test_msrvtt_full_is_the_official_split(msrvtt_folder: Path) -> None:
    splits = [msrvtt.Config(folder=msrvtt_folder, train="full").read(part) for part in PARTS]
    assert [len(videos_of(split)) for split in splits] == [6_513, 497, 2_990]
    assert [len(split.pairs) for split in splits] == [130_260, 9_940, 59_800]
    assert {split.captions for split in splits} == {"multiple"}


def test_msrvtt_on_stored_features_has_the_same_splits(msrvtt_folder: Path) -> None:
    """7k and full, as UniVL trains retrieval and captions on S3D features alone."""
    folder = msrvtt_folder / msrvtt.FEATURES
    folder.mkdir()
    videos = [f"video{n}" for n in range(10_000)]
    np.arange(20_000, dtype="<f4").tofile(folder / "feature.bin")
    write_official(folder, dict.fromkeys(videos, 1), 2)
    stored = msrvtt.Config(folder=msrvtt_folder, train="7k", stored=True)
    split = stored.read("test")
    assert (len(videos_of(split)), len(split.pairs), split.captions) == (1_000, 1_000, "single")
    split = stored.model_copy(update={"train": "full"}).read("val")
    assert (len(videos_of(split)), len(split.pairs), split.captions) == (497, 9_940, "multiple")
    assert not split.left_out
    assert {pair.path.parent for pair in split.pairs} == {stored.features("val")} == {folder}
    assert stored.model_copy(update={"stored": False}).features("val") is None
    pair = split.pairs[-1]
    row = FeatureReader(Features(folder)).read(pair)
    number = int(pair.video.removeprefix("video"))
    np.testing.assert_array_equal(row, [[2 * number, 2 * number + 1]])


def test_msvd_is_1200_100_670_whatever_the_files_are_called(
    annotated: Callable[[str], Path],
) -> None:
    folder = annotated("msvd")
    lines = (folder / "youtube_mapping.txt").read_text().split("\n")
    names = [line.split()[n % 2] for n, line in enumerate(lines) if line]  # half of them vid...
    touch(folder / "YouTubeClips", [f"{name}.avi" for name in names])
    splits = [msvd.Config(folder=folder).read(part) for part in PARTS]
    assert [len(videos_of(split)) for split in splits] == [1_200, 100, 670]
    assert [len(split.pairs) for split in splits] == [48_774, 4_290, 27_763]
    assert not any(split.left_out for split in splits)
    assert splits[0].pairs[0].video == "-4wsuPCjDBc_5_15"


def test_didemo_joins_the_two_names_of_one_video(annotated: Callable[[str], Path]) -> None:
    folder = annotated("didemo")
    told = {part: json.loads((folder / f"{part}_data.json").read_text()) for part in PARTS[1:]}
    names = {row["video"] for rows in told.values() for row in rows}
    touch(folder / "videos", {name.rstrip(".").rsplit(".", 1)[0] + ".mp4" for name in names})
    splits = [didemo.Config(folder=folder).read(part) for part in PARTS[1:]]
    assert [len({row["video"] for row in rows}) for rows in told.values()] == [1_094, 1_037]
    assert [len(split.pairs) for split in splits] == [1_065, 1_004]
    assert not any(split.left_out for split in splits)
    first = next(pair for pair in splits[1].pairs if "26292851@N04_4253489686" in pair.video)
    sentences = [r["description"] for r in told["test"] if r["video"].startswith(first.video)]
    assert first.caption == " ".join(sentence.strip() for sentence in sentences)


def test_didemo_finds_files_named_as_in_the_annotations(annotated: Callable[[str], Path]) -> None:
    folder = annotated("didemo")
    told = json.loads((folder / "test_data.json").read_text())
    touch(folder / "videos", {row["video"] for row in told})
    assert len(didemo.Config(folder=folder).read("test").pairs) == 1_004


def test_activitynet_tests_on_val1(annotated: Callable[[str], Path]) -> None:
    folder = annotated("activitynet")
    names = json.loads((folder / "train_ids.json").read_text())
    names += json.loads((folder / "val_1.json").read_text())
    touch(folder / "Activity_Videos", [f"{name}.mp4" for name in names])
    train, val, test = (activitynet.Config(folder=folder).read(part) for part in PARTS)
    assert [len(split.pairs) for split in (train, val, test)] == [9_509, 500, 4_917]
    assert [entry.count for entry in train.left_out] == [15], (
        "train_ids.json names 15 videos that are told nowhere"
    )
    assert "given. The coach helps" in test.pairs[0].caption
    assert test.captions == "paragraph"


def test_lsmdc_tests_on_1000_clips_of_17_films(annotated: Callable[[str], Path]) -> None:
    folder = annotated("lsmdc")
    path = folder / "LSMDC16_challenge_1000_publictect.csv"
    clips = [line.split("\t")[0] for line in path.read_text().splitlines()]
    for film in {clip.rsplit("_", 1)[0] for clip in clips}:
        inside = [clip for clip in clips if clip.startswith(film + "_")]
        touch(folder / "videos" / film, [f"{clip}.avi" for clip in inside])
    split = lsmdc.Config(folder=folder).read("test")
    assert len(split.pairs) == len(videos_of(split)) == 1_000
    assert len({pair.path.parent for pair in split.pairs}) == 17
    assert split.captions == "single"
    assert len({pair.caption for pair in split.pairs}) == 995


@pytest.mark.parametrize(("benchmark", "train"), [("msrvtt-9k", "9k"), ("msrvtt-full", "full")])
def test_benchmarks_know_the_hash_of_the_published_test(
    benchmark: str, train: Literal["9k", "full"], msrvtt_folder: Path
) -> None:
    pairs = msrvtt.Config(folder=msrvtt_folder, train=train).read("test").pairs
    recipe = next(name for name in recipe_names() if name.startswith(f"{benchmark}/"))
    found = split_hash(pairs, {pair.video for pair in pairs})
    assert read_recipe(recipe).test_hash == found
