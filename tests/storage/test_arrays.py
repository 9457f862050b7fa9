"""Arrays are written as numpy writes them, and a full disk is an error that names the file."""

import errno
from pathlib import Path

import numpy as np
import pytest

from reeltune.storage import arrays
from reeltune.storage.arrays import write_array
from small_disk import small_disk


@pytest.mark.parametrize("shape", [(0, 3), (5,), (7, 3), (4, 2, 3), (3, 0)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_a_file_is_that_of_numpy(
    shape: tuple[int, ...], dtype: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "PART", 16)
    array = np.asfortranarray(np.arange(np.prod(shape), dtype=np.uint8).reshape(shape))
    write_array(tmp_path / "ours.npy", array, dtype)
    np.save(tmp_path / "theirs.npy", np.ascontiguousarray(array, dtype))
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "theirs.npy").read_bytes()


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        with pytest.raises(OSError, match=r"array\.npy") as raised:
            write_array(disk / "array.npy", np.zeros((1000, 1000)), np.float32)
        assert raised.value.errno == errno.ENOSPC
