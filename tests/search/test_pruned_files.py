"""Which files are taken for gone, over real folders."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from reeltune.errors import DataError
from reeltune.search._known import Stored
from reeltune.search._prune import gone_below, is_absent
from reeltune.search.ingest import Choice, index
from reeltune.search.report import Report
from reeltune.search.store import table as _table

Clip = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six files in three folders."""
    for name in ("a", "b", "c", "trip/d", "trip/e", "trip/far/f"):
        path = tmp_path / "root" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "root"


def stored(root: Path) -> list[Stored]:
    return [Stored(path.stem, str(path), str(path), 0, 0) for path in sorted(root.rglob("*.mp4"))]


def taken(root: Path, files: list[Stored], how: str = "gone") -> tuple[set[str], list[str]]:
    """Names that are taken out, and why others are kept."""
    gone, kept = gone_below([str(root)], files, how)  # type: ignore[arg-type]
    return {one.video for one in gone}, [f"{Path(k.path).name}: {k.reason}" for k in kept]


def test_deleted_files_and_folders_go(root: Path) -> None:
    files = stored(root)
    (root / "a.mp4").unlink()
    shutil.rmtree(root / "trip" / "far")
    assert taken(root, files) == ({"a", "f"}, [])


def test_a_file_in_whose_place_a_folder_is_is_gone(root: Path) -> None:
    files = stored(root)
    (root / "a.mp4").unlink()
    (root / "a.mp4").mkdir()
    (root / "a.mp4" / "note").touch()
    assert taken(root, files) == ({"a"}, [])


def test_where_more_than_half_would_go_nothing_does(root: Path) -> None:
    files = stored(root)
    for name in ("a", "b", "c"):
        (root / f"{name}.mp4").unlink()
    assert taken(root, files) == ({"a", "b", "c"}, [])
    (root / "trip" / "d.mp4").unlink()
    gone, (why,) = taken(root, files)
    assert gone == set()
    assert why.startswith("root: nothing was taken out: it lacks 4 of its 6 files; is its drive ")
    assert why.endswith("--prune=all takes out what is gone for good")
    assert taken(root, files, "all") == ({"a", "b", "c", "d"}, [])


def test_an_empty_folder_may_be_a_drive_that_is_not_mounted(root: Path) -> None:
    files = stored(root)
    (root / "a.mp4").unlink()
    (root / "trip" / "far" / "f.mp4").unlink()
    gone, (why,) = taken(root, files)
    assert gone == {"a"}
    assert why.startswith("far: nothing was taken out: it is empty;")
    assert taken(root, files, "all") == ({"a", "f"}, [])
    shutil.rmtree(root)
    root.mkdir()
    gone, (why,) = taken(root, files)
    assert gone == set()
    assert why.startswith("root: nothing was taken out: it is empty;")


def test_a_root_that_is_not_there_keeps_its_files_unless_all_are_to_go(root: Path) -> None:
    files = stored(root)
    shutil.rmtree(root)
    gone, (why,) = taken(root, files)
    assert gone == set()
    assert "it is not there;" in why
    assert len(taken(root, files, "all")[0]) == 6


WITHOUT_RIGHTS = """
import os, sys
from reeltune.search._known import Stored
from reeltune.search._prune import gone_below
if os.geteuid() == 0:
    os.setuid(65534)  # whom modes of folders stop
files = [Stored(path, path, path, 0, 0) for path in sys.argv[2:]]
for how in ("gone", "all"):
    gone, kept = gone_below([sys.argv[1]], files, how)
    print(how, [os.path.basename(one.path) for one in gone], [one.reason[:60] for one in kept])
"""


@pytest.mark.skipif(os.name != "posix", reason="modes of folders are POSIX")
@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o111, "gone [] ['nothing was taken out: it cannot be listed (Permission denie']"),
        (0o444, "gone [] []\nall [] []"),  # it cannot be said whether a file is there
    ],
)
def test_a_folder_that_may_not_be_listed_or_entered_keeps_its_files(mode: int, said: str) -> None:
    with tempfile.TemporaryDirectory() as place:  # that others may enter
        Path(place).chmod(0o755)
        names = [Path(place, "trip", f"{name}.mp4") for name in ("gone", "there", "too")]
        names[0].parent.mkdir()
        for path in names[1:]:
            path.touch()
        names[0].parent.chmod(mode)
        command = [sys.executable, "-c", WITHOUT_RIGHTS, place, *map(str, names)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        names[0].parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said)


def test_a_file_is_absent_only_if_the_system_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert not is_absent(str(tmp_path / "file"))
    assert is_absent(str(tmp_path / "none"))
    assert is_absent(str(tmp_path / "file" / "below"))
    assert not is_absent(str(tmp_path / "loop"))
    assert not is_absent(str(tmp_path / ("n" * 300)))


def names_of(library: Path) -> set[str]:
    rows = _table.open_table(library).to_table(columns=["path"])
    return {Path(path).name for path in rows["path"].to_pylist()}


def run(videos: Path, model: str, prune: str | None) -> Report:
    choice = Choice(model=model, prune=prune)  # type: ignore[arg-type]
    return index([str(videos)], videos.parent / "library", choice)


def test_a_folder_that_is_empty_or_missing_keeps_its_library(videos: Path, model: str) -> None:
    run(videos, model, None)
    videos.rename(videos.parent / "away")
    with pytest.raises(DataError, match="is not there"):
        run(videos, model, "gone")
    videos.mkdir()
    report = run(videos, model, "gone")
    assert report.exit_code == 1
    assert report.kept[0].path == str(videos)
    assert names_of(videos.parent / "library") == {"red.mp4", "green.mp4", "two.mp4"}
    videos.rmdir()
    assert len(run(videos, model, "all").removed) == 3
    assert names_of(videos.parent / "library") == set()


def test_what_is_kept_makes_the_run_incomplete(videos: Path, model: str, clip: Clip) -> None:
    run(videos, model, None)
    for name in ("red", "green"):
        (videos / f"{name}.mp4").unlink()
    assert run(videos, model, "gone").exit_code == 3
    assert sorted(Path(one).name for one in run(videos, model, "all").removed) == [
        "green.mp4",
        "red.mp4",
    ]
