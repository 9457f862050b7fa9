"""The door to Lance: whatever goes wrong behind it is one of our errors and names the remedy."""

import os
from pathlib import Path

import pytest

from reeltune.errors import LibraryError
from reeltune.search.store.dataset import Table, guarded
from reeltune.search.store.seal import manifests
from search.moment_tables import moments, rows_of, table, unit


class PanicException(BaseException):
    """Named as the one that Lance raises where it panics, which no module exports."""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A table of two versions."""
    import numpy as np

    rng = np.random.default_rng(0)
    table(tmp_path, moments("a", unit(rng, 3, 8)))
    Table.open(tmp_path / "t.lance").append(rows_of(moments("b", unit(rng, 2, 8))))
    return tmp_path / "t.lance"


@pytest.mark.parametrize("content", [b"", b"LANC", bytes(500), b"x" * 500])
def test_a_newest_manifest_that_was_cut_or_zeroed_is_an_error(made: Path, content: bytes) -> None:
    manifests(made)[0][1].write_bytes(content)
    with pytest.raises(
        LibraryError, match=r"is damaged \(.*\); mend it with: reeltune library rep"
    ):
        Table.open(made)


def test_a_manifest_that_looks_whole_and_is_not_is_an_error(made: Path) -> None:
    manifests(made)[0][1].write_bytes(bytes(500) + b"LANC")
    with pytest.raises(LibraryError, match="reeltune library repair"):
        Table.open(made)


@pytest.mark.parametrize("error", [PanicException("index 4"), ValueError("x"), RuntimeError("")])
def test_a_panic_is_an_error_as_any_other(error: BaseException, tmp_path: Path) -> None:
    with (
        pytest.raises(LibraryError, match=r"is damaged .*reeltune library repair"),
        guarded(tmp_path),
    ):
        raise error


def test_ctrl_c_passes_through(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), guarded(tmp_path):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "error",
    [
        OSError("LanceError(IO): Generic LocalFileSystem error: No space left (os error 28)"),
        OSError(28, "No space left on device"),
    ],
)
def test_a_disk_that_refuses_is_no_damage(error: OSError, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="cannot be used: No space left"), guarded(tmp_path):
        raise error


@pytest.mark.skipif(os.name == "nt", reason="data files are open while they are read")
def test_a_named_pipe_among_the_files_is_not_waited_for(made: Path) -> None:
    for place in ("data", "_versions"):
        file = next((made / place).iterdir())
        content = file.read_bytes()
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(LibraryError, match=r"is no file of a library but a pipe; remove it$"):
            Table.open(made)
        file.unlink()
        file.write_bytes(content)
    assert Table.open(made).count_rows() == 5


def test_rows_that_cannot_be_read_are_an_error(made: Path) -> None:
    next((made / "data").iterdir()).unlink()
    opened = Table.open(made)
    assert opened.count_rows() == 5
    for read in (opened.to_table, opened.validate, lambda: list(opened.scanner().to_batches())):
        with pytest.raises(LibraryError, match=r"Not found.*reeltune library repair"):
            read()


def test_versions_are_told_by_either_way_to_name_them(tmp_path: Path) -> None:
    (tmp_path / "_versions").mkdir()
    for name in ("3", "18446744073709551610", "latest", "x1"):
        (tmp_path / "_versions" / f"{name}.manifest").touch()
    assert [version for version, _ in manifests(tmp_path)] == [5, 3]
