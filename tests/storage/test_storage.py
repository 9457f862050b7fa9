"""Files are there whole, with the permissions of any other file, or as they were before."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reeltune.compress.pack import pack
from reeltune.errors import ConfigError
from reeltune.meltr import combiner, linear
from reeltune.models import clip, dual_encoding, tuned
from reeltune.storage.atomic_file import replacing, write_atomically
from reeltune.storage.place import place
from reeltune.storage.tensors import write_tensors
from reeltune.training.checkpoint import Place, state_of


@pytest.fixture
def shared_with_a_group() -> Iterator[int]:
    """The permissions of new files under a umask that lets a group write."""
    before = os.umask(0o002)
    yield 0o664
    os.umask(before)


def write_one_of_everything(folder: Path) -> None:
    weight = torch.nn.Parameter(torch.ones(2, 3))
    for module in (clip, dual_encoding, tuned):
        module.Config.tiny().build().save_pretrained(folder / module.__name__)
    pack(folder / "small.packed.safetensors", {"x": torch.zeros(40)})
    state_of(Place("a run"), {"x": weight}, torch.optim.Adam([weight]), {}).write(folder)
    combiner.save(linear.Config.tiny().build(), folder / "meltr.safetensors")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_every_file_of_weights_has_the_permissions_of_the_umask(
    tmp_path: Path, shared_with_a_group: int
) -> None:
    write_one_of_everything(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sum(path.suffix == ".safetensors" for path in files) >= 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {shared_with_a_group}


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_atomically(path, b"old")

    def fail_half_way() -> None:
        with replacing(path) as half:
            half.write_bytes(b"ne")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        fail_half_way()
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["x.txt"])
    write_atomically(path, b"new")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"new", ["x.txt"])


def test_tensors_that_cannot_be_written_leave_the_old_file(tmp_path: Path) -> None:
    path, x = tmp_path / "deep" / "x.safetensors", torch.ones(3)
    write_tensors(path, {"x": x})
    with pytest.raises(RuntimeError, match="share memory"):
        write_tensors(path, {"x": 2 * x, "y": x, "z": x})
    assert load_file(path)["x"].equal(x)
    assert os.listdir(path.parent) == ["x.safetensors"]


def test_a_link_laid_beforehand_is_not_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda count: "0" * count)
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    (tmp_path / f".x.txt.{'0' * 8}.tmp").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "x.txt", b"new")
    assert victim.read_bytes() == b"kept"


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_tensors_that_the_disk_does_not_take_are_an_error_of_the_system(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            write_tensors(tmp_path / "model.safetensors", {"weight": torch.zeros(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.filename == str(tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["", "  "])
def test_an_empty_place_is_not_taken_for_the_current_folder(given: str) -> None:
    with pytest.raises(ConfigError, match=r"the place is empty; give a folder, or a URL such as s"):
        place(given)
    assert place(".") == Path(".")
