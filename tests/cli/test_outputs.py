"""Where commands write: refused early, and a folder is there whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from reeltune.errors import ConfigError
from reeltune.storage.outputs import (
    new_folder,
    require_file,
    require_folder,
    require_new_file,
    require_new_folder,
)


@pytest.mark.parametrize("there", [False, True], ids=["absent", "empty"])
def test_a_new_folder_appears_whole_at_the_end(tmp_path: Path, there: bool) -> None:
    out = tmp_path / "a" / "b"
    if there:
        out.mkdir(parents=True)
    with new_folder(out) as folder:
        (folder / "one").write_text("1")
        assert not (out / "one").exists()
    assert (out / "one").read_text() == "1"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("error", [ConfigError, KeyboardInterrupt])
def test_what_fails_or_is_stopped_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "a" / "b") as folder:
            (folder / "one").write_text("1")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with new_folder(tmp_path / "made"):
        pass
    plain, made = (stat.S_IMODE(os.stat(tmp_path / n).st_mode) for n in ("plain", "made"))
    assert made == plain


def test_a_folder_that_holds_something_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    with pytest.raises(ConfigError, match=r"is not empty; give a new folder"):
        require_new_folder(tmp_path)
    with pytest.raises(ConfigError, match=r"is not empty"), new_folder(tmp_path):
        pass
    assert (tmp_path / "kept").is_file()


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below" / "it"):
        with pytest.raises(ConfigError, match=r"/file is a file, and .* is to be a folder"):
            require_folder(out)


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a folder, and a file is to be written; name a file"):
        require_file(tmp_path)
    (tmp_path / "report.json").write_text("")
    require_file(tmp_path / "report.json")
    require_file(tmp_path / "absent" / "report.json")
    (tmp_path / "report.json").touch()
    require_file(tmp_path / "report.json")
    require_file(Path("/dev/null"), force=False)
    with pytest.raises(ConfigError, match=r"report\.json is there already; give another name, or"):
        require_file(tmp_path / "report.json", force=False)


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    require_new_file(tmp_path / "new.zip", force=False)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name in ("file", "link"):
        with pytest.raises(
            ConfigError,
            match=rf"/{name} is there already; give another name, or --force to replace it "
            r"\(in Python, force=True\)$",
        ):
            require_new_file(tmp_path / name, force=False)
        require_new_file(tmp_path / name, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_no_folder_is_made_for_a_new_file(tmp_path: Path, force: bool) -> None:
    with pytest.raises(
        ConfigError, match=r"there is no folder .*/none; make it, or give another place$"
    ):
        require_new_file(tmp_path / "none" / "a.csv", force)
    with pytest.raises(ConfigError, match=r"is a folder, and a file is to be written; name a file"):
        require_new_file(tmp_path, force)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write to")
def test_a_place_that_cannot_be_written_to_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"nothing can be written to /proc \(.*\), where"):
        require_folder(Path("/proc/reeltune"))
