"""Indexing on a real Ray cluster of two nodes, one of which is killed in the middle of a run."""

import os
import secrets
import warnings
from collections.abc import Iterator
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
from reeltune.search.ingest import Choice, index
from reeltune.search.store.table import open_table

CLIPS = 8
WHEN = ("indexed", "checksum")  # columns that tell when a row was made


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
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
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
    with pytest.raises(ConfigError, match="an address is that of a cluster of Ray; add --engine"):
        index(clips, tmp_path / "none", Choice(model=model, address="127.0.0.1:1"))
