"""Folders of features that a stranger made: nothing in them is run, and no size is believed."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reeltune.errors import DataError
from reeltune.features.index import FILE_NAME, Making
from reeltune.features.store import DATA, Features
from reeltune.features.writer import FeatureWriter


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features") / "own"
    made = Making(width=3, dtype="float32", model="m", fingerprint="f", sampling="fps 2")
    with FeatureWriter(folder, made, "own") as writer:
        writer.append("a", np.zeros((4, 3), np.float32), [0.0, 0.5, 1.0, 1.5, 2.0], "c")
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "own"))


class Bomb:
    """Leaves a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("ran", "w"))


def claim(path: Path, shape: str, dtype: str = "<f4") -> None:
    """An array file whose header says what it likes."""
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(48))


ARRAYS: dict[str, Callable[[Path], object]] = {
    "objects": lambda path: np.save(path, np.array([Bomb()], object), allow_pickle=True),
    "a shape beyond the file": lambda path: claim(path, "(1000000000000, 3)"),
    "a shape beyond all numbers": lambda path: claim(path, "(99999999999999999999, 3)"),
    "a negative shape": lambda path: claim(path, "(-4, 3)"),
    "code in its header": lambda path: claim(path, "__import__('os').getpid()"),
    "a deep header": lambda path: claim(path, "(" * 3000 + ")" * 3000),
    "another kind of number": lambda path: claim(path, "(4, 3)", "|S4"),
    "an archive": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(500)),
}


@pytest.mark.parametrize("spoil", ARRAYS.values(), ids=ARRAYS)
def test_an_array_is_not_taken_at_its_word(
    spoil: Callable[[Path], object], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert Features(folder).rows == 4
    spoil(folder / DATA)
    with pytest.raises(DataError, match=r"is not a whole array|wanted are float16 or float32"):
        Features(folder)
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("count", [10**12, -4, 1.5])
def test_an_index_is_not_taken_at_its_word(count: float, folder: Path) -> None:
    content = json.loads((folder / FILE_NAME).read_text())
    content["videos"]["a"] |= {"count": count, "edges": None}
    (folder / FILE_NAME).write_text(json.dumps(content))
    with pytest.raises(DataError):
        Features(folder)


def test_an_index_is_not_nested_without_end(folder: Path) -> None:
    (folder / FILE_NAME).write_text('{"videos":' * 100_000)
    with pytest.raises(DataError, match="is not the index of stored features"):
        Features(folder)
