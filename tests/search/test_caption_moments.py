"""Captions beside moments: written once, kept, searched, and lost by no interruption."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from reeltune.errors import ConfigError, DataError
from reeltune.search.holdings import info
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.maintain import verify
from reeltune.search.repair import repair
from reeltune.search.report import Report
from reeltune.search.store import table as _table
from reeltune.search.store.manifest import FILE_NAME, Manifest
from search.made_once import MadeOnce

Clip = Callable[..., Path]


@dataclass
class Namer:
    """Captions a moment by its file and its beginning, and stops where it is told to."""

    fingerprint: str = "f1"
    stops_at: str = ""  # the name of a file before which Ctrl-C comes
    breaks_at: str = ""  # the name of one that it cannot read
    asked: list[str] = field(default_factory=list)

    def parts(self, path: Path, spans: Sequence[tuple[float, float]]) -> list[str]:
        if path.name == self.stops_at:
            raise KeyboardInterrupt
        if path.name == self.breaks_at:
            raise DataError("it is gone")
        self.asked.append(path.name)
        return [f"{self.fingerprint} says {path.stem}'s part from {start:g}" for start, _ in spans]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """A library of three clips without captions, beside them."""
    return MadeOnce(tmp_path_factory.mktemp("made"), run)


@pytest.fixture
def videos(made: MadeOnce) -> Path:
    return made.anew()


@pytest.fixture
def home(videos: Path) -> Path:
    return videos.parent / "library"


def run(videos: Path, caption: Namer | None = None) -> Report:
    return index(
        [str(videos)], videos.parent / "library", Choice(model="tiny-clip", caption=caption)
    )


def captions(home: Path) -> dict[str, str | None]:
    """The caption of each moment, by its file and beginning."""
    rows = _table.open_table(home).to_table(columns=["path", "start", "caption"]).to_pylist()
    return {f"{Path(row['path']).stem} {row['start']:g}": row["caption"] for row in rows}


WANTED = {
    "green 0": "f1 says green's part from 0",
    "red 0": "f1 says red's part from 0",
    "two 0": "f1 says two's part from 0",
    "two 5": "f1 says two's part from 5",
}


def test_a_library_without_captions_is_given_them_beside_its_moments(
    home: Path, videos: Path
) -> None:
    columns = ["id", "unit", "vector", "indexed", "start"]
    before = _table.open_table(home).to_table(columns=columns).sort_by("id")
    report = run(videos, Namer())
    assert (report.captioned, len(report.unchanged), report.indexed) == (4, 3, [])
    assert captions(home) == WANTED
    assert _table.open_table(home).to_table(columns=columns).sort_by("id").equals(before)
    assert verify(home).faults == []
    assert info(home)["captions"] == 4


def test_a_new_library_has_its_captions_in_one_run(home: Path, videos: Path) -> None:
    shutil.rmtree(home)
    report = run(videos, Namer())
    assert (report.captioned, len(report.indexed), report.exit_code) == (4, 3, 0)
    assert captions(home) == WANTED
    assert verify(home).faults == []


def test_captions_stay_and_are_written_once_by_each_model(home: Path, videos: Path) -> None:
    run(videos, Namer())
    version = _table.open_table(home).version
    assert run(videos).captioned == 0
    again = Namer()
    assert run(videos, again).captioned == 0
    assert again.asked == []
    assert _table.open_table(home).version == version, "nothing was written"
    assert captions(home) == WANTED
    assert run(videos, Namer("o'ther")).captioned == 4
    assert set(captions(home).values()) == {w.replace("f1", "o'ther") for w in WANTED.values()}


def test_new_and_changed_files_have_no_captions_until_they_are_asked_for(
    home: Path, videos: Path, clip: Clip
) -> None:
    run(videos, Namer())
    clip(videos / "new.mp4", (9, 9, 90))
    clip(videos / "red.mp4", (90, 9, 9), (9, 200, 9))
    run(videos)
    found = captions(home)
    assert {name: found.pop(name) for name in ("new 0", "red 0")} == {"new 0": None, "red 0": None}
    assert found.items() >= {k: v for k, v in WANTED.items() if not k.startswith("red")}.items()
    assert verify(home).faults == []
    later = Namer()
    run(videos, later)
    assert sorted(later.asked) == ["new.mp4", "red.mp4"]
    assert None not in captions(home).values()
    shutil.move(videos / "two.mp4", videos / "moved.mp4")
    assert run(videos, Namer()).captioned == 0, "a file that moved takes its captions along"


def test_ctrl_c_keeps_what_is_written_and_the_next_run_goes_on(home: Path, videos: Path) -> None:
    report = run(videos, Namer(stops_at="red.mp4"))
    assert (report.interrupted, report.exit_code, report.captioned) == (True, 130, 1)
    assert {name for name, text in captions(home).items() if text} == {"green 0"}
    assert verify(home).faults == []
    later = Namer()
    assert run(videos, later).captioned == 3
    assert later.asked == ["red.mp4", "two.mp4"]
    assert captions(home) == WANTED


KILLED = """
    import os, signal, sys
    from reeltune.search import caption_moments
    from reeltune.search.ingest import Choice, index

    caption_moments.COMMIT_SECONDS = 0  # after every file

    class Killed:
        fingerprint = "f1"

        def parts(self, path, spans):
            if path.name == "two.mp4":
                os.kill(os.getpid(), signal.SIGKILL)
            return [f"f1 says {path.stem}'s part from {start:g}" for start, _ in spans]

    index([sys.argv[1]], sys.argv[2], Choice(model="tiny-clip", caption=Killed()))
"""


def test_a_killed_run_has_lost_nothing_that_was_written(home: Path, videos: Path) -> None:
    shutil.rmtree(home)
    command = [sys.executable, "-c", dedent(KILLED), str(videos), str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert captions(home) == {**WANTED, "two 0": None, "two 5": None}
    assert verify(home).faults == []
    run(videos, Namer())
    assert captions(home) == WANTED


def test_a_file_that_gets_no_captions_is_named(home: Path, videos: Path) -> None:
    report = run(videos, Namer(breaks_at="red.mp4"))
    assert [Path(one.path).name for one in report.uncaptioned] == ["red.mp4"]
    assert report.uncaptioned[0].reason == "no captions: it is gone"
    assert (report.captioned, report.failed, report.exit_code) == (3, [], 3)


def test_hits_have_captions_and_filters_find_by_them(home: Path, videos: Path) -> None:
    library = Library(home)
    assert {hit.caption for hit in library.search("x")} == {None}
    with pytest.raises(ConfigError, match=r"no moment of the library has one; write them by: reel"):
        library.search("x", where="caption like '%two%'")
    run(videos, Namer())
    found = library.search("x", where="caption like '%two%'")
    assert sorted(str(hit.caption) for hit in found) == [WANTED["two 0"], WANTED["two 5"]]
    assert library.search("x", where="caption ilike '%SAYS GREEN''S%'")[0].path.endswith(
        "green.mp4"
    )
    assert library.search("x", where="caption is null") == []


def test_a_lost_manifest_is_written_again_with_its_captions(home: Path, videos: Path) -> None:
    run(videos, Namer())
    before = Manifest.read(home)
    (home / FILE_NAME).unlink()
    repair(home)
    assert Manifest.read(home) == before
    assert verify(home).faults == []
