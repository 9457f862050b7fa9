"""Indexing on a real Ray cluster of two nodes, one of which is killed in the middle of a run, and
runs that are stopped."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

import reeltune
from media.own_videos import write_clip
from reeltune.errors import ConfigError
from reeltune.media.files import find
from reeltune.media.progress import Silent
from reeltune.search._known import Judged, Known
from reeltune.search.engines.local_readers import Broken, Event, LostWorkerError, Readers
from reeltune.search.engines.ray import _own_signals
from reeltune.search.ingest import Choice, index
from reeltune.search.store.table import open_table

CLIPS = 8
WHEN = ("indexed", "checksum")  # columns that tell when a row was made
GOES_ON = "stopped; run the same command again to go on where it stopped\n"
TOKEN = "RAY_AUTH_TOKEN"  # a variable that all processes of a cluster have, each its own one
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for number in range(CLIPS):
        write_clip(folder / f"{number}.mp4", (30 * number, 90, 200 - 20 * number))
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without CPUs and two nodes with one each, all of which want a token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv(TOKEN, secrets.token_hex(32))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(reeltune.__file__).parents[1])]))
        pytest.importorskip("ray", reason="Ray is absent: pip install 'reeltune[ray]'")
        from ray.cluster_utils import Cluster

        warnings.filterwarnings("ignore", message="lance is not fork-safe")  # see engines/ray.py
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 << 20}
        running = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(2):
            running.add_node(wait=False, num_cpus=1, object_store_memory=80 << 20)
        running.wait_for_nodes(timeout=300)  # a busy machine takes longer than Ray's own 30 s
        yield running
        running.shutdown()


def processes(token: str) -> dict[str, str]:
    """The command lines of those that have a token, by their ids."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{TOKEN}={token}" in (place / "environ").read_text(errors="replace"):
                found[place.name] = (place / "cmdline").read_text()
    return found


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def stopped(number: signal.Signals, videos: Path, *options: object) -> tuple[int, str]:
    """How an endless run ends that is sent a signal once it has stored something, and what it says
    then."""
    library = videos.parent / "library"
    (videos / "z.mp4").write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0isomavc1")
    os.truncate(videos / "z.mp4", 4 << 40)  # all of it a hole, but its first bytes
    command = [sys.executable, "-m", "reeltune", "index", videos, "-l", library, "--quiet"]
    run = subprocess.Popen(
        [*map(str, [*command, "--engine", "ray", *options])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: run.poll() is not None or any(library.glob("moments.lance/data/*")))
    os.killpg(run.pid, number) if number == signal.SIGINT else run.send_signal(number)
    said = run.communicate(timeout=60)[1]
    (videos / "z.mp4").unlink()
    return run.returncode, said


def require_going_on(videos: Path) -> None:
    """The next run skips what was stored, and what was not is there once."""
    library = reeltune.Library(videos.parent / "library")
    before = [Path(one.path).name for one in library.files()]
    report = library.index(videos)
    assert [Path(path).name for path in report.unchanged] == before != []
    assert len(report.indexed) + len(before) == len(library.files()) == CLIPS
    assert not library.verify().faults


@linux
def test_ctrl_c_ends_ray_with_the_run_and_the_next_one_goes_on(
    clips: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv(TOKEN, token := secrets.token_hex(32))
    videos = Path(shutil.copytree(clips, tmp_path / "videos"))
    assert stopped(signal.SIGINT, videos, "--model", model) == (130, GOES_ON)
    assert processes(token) == {}
    require_going_on(videos)


@linux
def test_what_is_told_to_end_on_a_cluster_ends_in_silence_as_elsewhere(
    cluster: Any, clips: Path, model: str, tmp_path: Path
) -> None:
    videos, address = Path(shutil.copytree(clips, tmp_path / "videos")), cluster.address
    ended = stopped(signal.SIGTERM, videos, "--model", model, "--address", address)
    assert ended == (-signal.SIGTERM, "")
    wait_for(lambda: not any("_Actor" in one for one in processes(os.environ[TOKEN]).values()))
    require_going_on(videos)


def test_ctrl_c_waits_until_ray_has_started_and_is_ignored_where_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    starting = ExitStack()
    starting.enter_context(_own_signals())
    try:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            starting.close()
        assert signal.getsignal(signal.SIGINT) is before
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with _own_signals():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


class Killing:
    """Progress that kills the raylet of a node as soon as the first file is done."""

    def __init__(self, node: Any) -> None:
        self.node, self.done = node, list[str]()

    def begin(self, files: int, size: int, work: str = "") -> None:
        pass

    def advance(self, path: str, size: int) -> None:
        if not self.done:
            self.node.kill_raylet(check_alive=False)
        self.done.append(path)

    def recognise(self, path: str, done: int, size: int) -> None:
        pass


def rows_of(folder: Path) -> list[dict[str, Any]]:
    rows = open_table(folder).to_table().to_pylist()
    kept = ({name: value for name, value in row.items() if name not in WHEN} for row in rows)
    return sorted(kept, key=lambda row: row["id"])


def test_a_node_that_is_killed_costs_nothing(
    cluster: Any, clips: Path, model: str, tmp_path: Path
) -> None:
    choice = Choice(model=model, engine="ray", address=cluster.address)
    nodes = list(cluster.worker_nodes)
    killing = Killing(nodes[0])
    report = index(clips, tmp_path / "ray", choice, killing)
    assert len(report.indexed) == CLIPS
    assert [Path(one.path).name for one in report.failed] == ["broken.mp4"]
    assert len(killing.done) == len(set(killing.done)) == CLIPS + 1
    index(clips, tmp_path / "local", Choice(model=model))
    assert rows_of(tmp_path / "ray") == rows_of(tmp_path / "local")
    again = index(clips, tmp_path / "ray", choice)
    assert (len(again.unchanged), again.indexed) == (CLIPS, [])
    assert not reeltune.Library(tmp_path / "ray").verify().faults


class Dying:
    """A worker that no file leaves alive."""

    opened = 0

    def open(self) -> None:
        self.opened += 1

    def read(self, judged: Judged, copy: Path | None) -> Iterator[Event]:
        raise LostWorkerError("gone")

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_file_that_ends_its_workers_is_named_as_failed(clips: Path) -> None:
    worker, files = Dying(), find(clips / "0.mp4").files
    with Readers(files, Known(), lambda: worker, 1, Silent()) as events:
        told = [event for event in events if isinstance(event, Broken)]
    assert [(one.candidate.path, one.reason) for one in told] == [
        (str(clips / "0.mp4"), "ended the process that read it, 3 times")
    ]
    assert worker.opened == 3


def test_a_cluster_that_is_not_there_is_an_error(clips: Path, model: str, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is absent: pip install 'reeltune[ray]'")
    lost = Choice(model=model, engine="ray", address="127.0.0.1:1")
    with pytest.raises(
        ConfigError, match=r"cluster 127\.0\.0\.1:1 cannot be used \(.*refused\); see"
    ):
        index(clips, tmp_path / "none", lost)
    with pytest.raises(ConfigError, match="an address is that of a cluster of Ray; add --engine"):
        index(clips, tmp_path / "none", Choice(model=model, address="127.0.0.1:1"))
