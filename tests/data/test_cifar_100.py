"""CIFAR-100: records become pairs and stored pictures, and broken files are named."""

from pathlib import Path

import numpy as np
import pytest

from reeltune.data import cifar_100
from reeltune.errors import DataError
from reeltune.features.store import FeatureReader, Features


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def config(tmp_path: Path) -> cifar_100.Config:
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    return cifar_100.Config(folder=cifar_100.Config.tiny(folder).folder.parent, hold_out=1)


def test_a_picture_has_the_class_and_every_level_of_its_record(config: cifar_100.Config) -> None:
    names = ("apple", "aquarium_fish", "baby")
    for split, file in (("train", "train"), ("val", "train"), ("test", "test")):
        content = (config.folder / "cifar-100-binary" / f"{file}.bin").read_bytes()
        reader = FeatureReader(Features(config.features(split)))
        for pair in config.read(split).pairs:
            number = int(pair.video.removeprefix(file))
            record = content[3074 * number : 3074 * (number + 1)]
            assert pair.answer == names[record[1]]
            assert pair.caption == names[record[1]].replace("_", " ")
            assert reader.read(pair).tolist() == [list(record[2:])]


def test_held_out_pictures_are_those_of_train_and_stay_the_same(config: cifar_100.Config) -> None:
    train, val = (config.read(split).pairs for split in ("train", "val"))
    assert (len(train), len(val), len(config.read("test").pairs)) == (3, 1, 2)
    assert {pair.video for pair in (*train, *val)} == {f"train{n:05}" for n in range(4)}
    assert config.read("val").pairs == val
    assert config.features("train") == config.features("val") != config.features("test")


def test_published_sizes_are_those_of_the_page(config: cifar_100.Config) -> None:
    sizes = cifar_100.Config(folder=config.folder).published()
    assert {part: size.videos for part, size in sizes.items()} == {
        "train": 49_000,
        "val": 1_000,
        "test": 10_000,
    }


def test_another_file_has_pictures_of_its_own(config: cifar_100.Config) -> None:
    first = config.features("test")
    path = config.folder / "cifar-100-binary" / "test.bin"
    np.zeros((3, 3074), np.uint8).tofile(path)
    assert config.features("test") != first
    assert len(config.read("test").pairs) == 3


def test_broken_files_are_named(config: cifar_100.Config) -> None:
    folder = config.folder / "cifar-100-binary"
    np.full((1, 3074), 7, np.uint8).tofile(folder / "test.bin")
    with pytest.raises(
        DataError, match=r"test\.bin: picture 0 is of class 7, and .* names 3; take"
    ):
        config.read("test")
    (folder / "test.bin").write_bytes(b"123")
    with pytest.raises(DataError, match=r"test\.bin has 3 bytes, and each picture takes 3,074; un"):
        config.read("test")
    (folder / "train.bin").unlink()
    (folder / "train").write_bytes(b"\x80\x04K\x01.")  # the pickle of the Python version
    with pytest.raises(DataError, match=r"hold no train\.bin; `reeltune datasets cifar-100` says"):
        config.read("train")


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("apple\n\nfish\nbaby\n", "line 3: the line before it is empty, and each line names the"),
        ("apple\nfish\napple\n", "line 3: 'apple' is there a second time, and each line names the"),
    ],
)
def test_names_that_are_no_list_of_the_classes_are_refused(
    config: cifar_100.Config, names: str, wanted: str
) -> None:
    (config.folder / "cifar-100-binary" / "fine_label_names.txt").write_text(names)
    with pytest.raises(DataError, match=rf"fine_label_names\.txt, {wanted}"):
        config.read("test")
