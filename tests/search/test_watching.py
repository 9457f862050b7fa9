"""A watched folder and its library, by the system's real notices; each step waits for the news."""

import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.report import Report
from reeltune.search.store.lock import sole_writer
from reeltune.search.watching import Missing, News, Trouble, Watcher

SETTLED = 0.4  # s


@dataclass
class Watched:
    """A watcher in a thread of its own, and its news."""

    watcher: Watcher
    news: "queue.Queue[News]"
    videos: Path

    def until(self, wanted: Callable[[News], bool]) -> News:
        """The first of the news that is wanted; others before it are passed over."""
        while True:
            found = self.news.get(timeout=60)
            if wanted(found):
                return found

    def report(self, **lists: set[str]) -> Report:
        """The first report whose lists name these files, and no others."""

        def is_it(news: News) -> bool:
            return isinstance(news, Report) and all(
                {Path(getattr(one, "path", one)).name for one in getattr(news, name)} == files
                for name, files in lists.items()
            )

        found = self.until(is_it)
        assert isinstance(found, Report)
        return found

    def files(self) -> set[str]:
        return {Path(file.path).name for file in self.watcher.library.files()}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, clip: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name, colour in {"red": (200, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 220)}.items():
        clip(folder / f"{name}.mp4", colour)
    return folder


@pytest.fixture(params=[False, True], ids=["notices", "polls"])
def watched(
    request: pytest.FixtureRequest, model: str, clips: Path, tmp_path: Path
) -> Iterator[Watched]:
    """A folder with one video, whose library lies in the folder itself."""
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy2(clips / "red.mp4", videos)
    library = Library.create(videos / "lib", model)
    news: queue.Queue[News] = queue.Queue()
    stop = threading.Event()
    watcher = Watcher(library, str(videos), news.put, stop, SETTLED, polls=request.param)
    thread = threading.Thread(target=watcher.run)
    thread.start()
    yield Watched(watcher, news, videos)
    stop.set()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_a_watched_library_follows_its_folder(watched: Watched, clips: Path) -> None:
    videos = watched.videos
    watched.report(indexed={"red.mp4"})  # what was there before
    (videos / "sub").mkdir()
    for folder in (videos, videos / "sub"):
        shutil.copy2(clips / "green.mp4", folder)
    done = watched.report(indexed={"green.mp4"})
    assert len(done.unchanged) == 1
    shutil.copy2(clips / "blue.mp4", videos / "blue.mp4")
    watched.report(indexed={"blue.mp4"})

    (videos / "broken.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    watched.report(failed={"broken.mp4"})
    (videos / "broken.mp4").unlink()
    (videos / "blue.mp4").rename(videos / "sea.mp4")
    watched.report(moved={"sea.mp4"}, failed=set())
    (videos / "sea.mp4").unlink()
    watched.report(removed={"sea.mp4"})
    assert watched.files() == {"red.mp4", "green.mp4"}


def test_a_drive_that_goes_away_is_waited_for(watched: Watched, clips: Path) -> None:
    videos, away = watched.videos, watched.videos.with_name("away")
    watched.report(indexed={"red.mp4"})
    library = watched.watcher.library
    shutil.move(videos / "lib", videos.with_name("lib"))
    library.folder = videos.with_name("lib")
    videos.rename(away)
    assert watched.until(lambda news: isinstance(news, Missing)) == Missing((str(videos),))
    assert watched.files() == {"red.mp4"}, "which are not gone for good"
    shutil.copy2(clips / "blue.mp4", away)
    away.rename(videos)
    assert watched.until(lambda news: isinstance(news, Missing)) == Missing(())
    assert watched.report(indexed={"blue.mp4"}).removed == []
    assert watched.files() == {"red.mp4", "blue.mp4"}


def test_a_file_waits_as_long_as_it_changes(model: str, clips: Path, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(clips, videos, copy_function=shutil.copy2)
    choice = Choice(model=model, settled=1000.0)
    for name, age in {"red": 2000, "green": 10, "blue": -10}.items():
        os.utime(videos / f"{name}.mp4", (time.time() - age, time.time() - age))
    report = index(str(videos), tmp_path / "lib", choice)
    assert [Path(one.path).name for one in report.indexed] == ["red.mp4"]
    assert sorted(Path(path).name for path in report.waiting) == ["blue.mp4", "green.mp4"]
    assert report.exit_code == 3
    again = index(str(videos), tmp_path / "lib", Choice(settled=5.0))
    assert sorted(Path(one.path).name for one in again.indexed) == ["blue.mp4", "green.mp4"]


def test_what_keeps_a_run_from_beginning_is_told_and_tried_again(
    model: str, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltune.search.watching.AGAIN", 0.2)
    library = Library.create(tmp_path / "lib", model)
    news: queue.Queue[News] = queue.Queue()
    watcher = Watcher(library, str(clips), news.put, settled=SETTLED)
    thread = threading.Thread(target=watcher.run)
    with sole_writer(tmp_path / "lib"):
        thread.start()
        found = news.get(timeout=60)
        assert isinstance(found, Trouble)
        assert "is being written" in found.reason
    watched = Watched(watcher, news, clips)
    watched.report(indexed={"red.mp4", "green.mp4", "blue.mp4"})
    watcher.stop.set()
    thread.join(timeout=60)
    assert not thread.is_alive()
