"""Datasets in the folders of hybrid_space, made by hand and as they are published."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from reeltune.data.hybrid_space import Config, read_captions
from reeltune.errors import DataError
from reeltune.features.official import write_official
from reeltune.features.store import FeatureReader, Features


def write_features(folder: Path, videos: list[str], width: int = 2) -> None:
    """One frame for each video; its numbers are the video's place."""
    folder.mkdir(parents=True)
    rows = np.repeat(np.arange(len(videos), dtype="<f4"), width)
    rows.tofile(folder / "feature.bin")
    write_official(folder, dict.fromkeys(videos, 1), width)


def test_three_folders_have_a_split_each(tmp_path: Path) -> None:
    for n, name in enumerate(["tgif", "tv2016train", "msrvtt10k"]):
        (tmp_path / name / "TextData").mkdir(parents=True)
        lines = f"v{n}.mp4#enc#0 a dog\nw.jpg#1  a cat  sleeps \n"
        (tmp_path / name / "TextData" / f"{name}.caption.txt").write_text(lines)
        write_features(tmp_path / name / "FeatureData" / "os", [f"v{n}", "w", "unused"])
    config = Config(folder=tmp_path, train="tgif", val="tv2016train", test="msrvtt10k")
    split = config.read("val")
    assert [(p.video, p.caption) for p in split.pairs] == [("v1", "a dog"), ("w", "a cat  sleeps")]
    assert split.pairs[0].path == tmp_path / "tv2016train" / "FeatureData" / "os" / "v1"
    assert split.captions == "single"
    assert [(e.names, e.missing) for e in split.left_out] == [(("unused",), False)]


def test_a_pair_leads_to_its_features(tmp_path: Path) -> None:
    config = Config.tiny(tmp_path)
    [pair, _] = config.read("val").pairs
    reader = FeatureReader(Features(config.features("val")))
    np.testing.assert_array_equal(reader.read(pair), [[8, 9, 10, 11], [12, 13, 14, 15]])


def test_names_may_be_left_out_where_there_is_one(tmp_path: Path) -> None:
    named = Config.tiny(tmp_path)
    assert Config(folder=tmp_path).read("test") == named.read("test")
    (tmp_path / "notes").mkdir()
    (tmp_path / "toy" / "FeatureData" / "clip").mkdir()
    with pytest.raises(
        DataError, match=r"holds 2 features \(clip, made-up\); name one by --set options\.feat"
    ):
        Config(folder=tmp_path).read("test")
    (tmp_path / "other" / "TextData").mkdir(parents=True)
    with pytest.raises(
        DataError, match=r"2 collections \(other, toy\); name one by --set options\.c"
    ):
        Config(folder=tmp_path).read("test")


def test_a_collection_is_of_one_split(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"are tgif, msvd, tgif, so one collection would be"):
        Config(folder=tmp_path, train="tgif", val="msvd", test="tgif")


def test_one_collection_or_three(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"options.test together.*; given are train"):
        Config(folder=tmp_path, train="tgif")
    with pytest.raises(ValidationError, match=r"given are collection, train, val, test"):
        Config(folder=tmp_path, collection="a", train="b", val="c", test="d")


def test_videos_without_features_are_missing_and_others_extra(tmp_path: Path) -> None:
    config = Config.tiny(tmp_path)
    path = tmp_path / "toy" / "TextData" / "toytrain.caption.txt"
    path.write_text(path.read_text().replace("video0", "video9") + "video0#7 also\n")
    split = config.read("train")
    assert [pair.video for pair in split.pairs] == ["video0"]
    entry = split.left_out[0]
    assert (entry.names, entry.missing) == (("video9",), True)
    assert entry.reason == "not in the folder made-up"
    path.write_text("video9#0 a toy\n")
    with pytest.raises(DataError, match=r"none of the 1 video of train \(looked for video9\).*'"):
        config.read("train")
    path.write_text("video1#0 a toy\n")
    with pytest.raises(DataError, match=r"train and val share 1 video, first video1"):
        config.read("train")


@pytest.mark.parametrize("line", ["video0 a toy", "video0#0", "#0 a toy", "video0#0  "])
def test_lines_that_are_no_caption_are_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "c.txt"
    path.write_text(f"video0#0 a toy\n\n{line}\n")
    with pytest.raises(DataError, match=r"line 3: got .* is video#number and .* take c\.txt"):
        read_captions(path)
    path.write_text("\n")
    with pytest.raises(DataError, match=r"c.txt holds no caption; `reeltune datasets hybrid-space"):
        read_captions(path)


def test_published_captions_of_msvd(tmp_path: Path, shared_data: Path) -> None:
    """1,200 / 100 / 670 clips with all their sentences, as the authors of Dual Encoding give it."""
    text = tmp_path / "msvd" / "TextData"
    text.mkdir(parents=True)
    videos: list[str] = []
    for path in sorted((shared_data / "annotations" / "msvd_dual_encoding").iterdir()):
        (text / path.name).write_bytes(path.read_bytes())
        videos += dict.fromkeys(caption.video for caption in read_captions(path))
    write_features(tmp_path / "msvd" / "FeatureData" / "toy", videos)
    config = Config(folder=tmp_path, collection="msvd")
    counts = {"train": (1200, 48779), "val": (100, 4291), "test": (670, 27767)}
    for part, (clips, sentences) in counts.items():
        split = config.read(part)
        assert (len({p.video for p in split.pairs}), len(split.pairs)) == (clips, sentences)
        assert (split.captions, split.left_out) == ("multiple", ())
