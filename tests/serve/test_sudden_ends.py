"""The server is killed while it indexes, stopped by Ctrl-C, and meets a full disk."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from reeltune import Library
from reeltune.serve.jobs import ENDED
from reeltune.serve.settings import Settings
from serve.running import running
from waiting import until

Clip = Callable[..., Path]
LONG = 240.0  # s, after which a test gives up


@pytest.fixture
def root(tmp_path: Path, clip: Clip) -> Path:
    """A folder of videos that differ."""
    for number in range(4):
        clip(tmp_path / "videos" / f"{number}.mp4", (60 * number, 20, 200), seconds=1)
    return tmp_path / "videos"


@pytest.fixture
def started(tmp_path: Path, root: Path, exported_model: str) -> Iterator[subprocess.Popen[str]]:
    """`reeltune serve` as a person starts it."""
    command = [
        sys.executable,
        "-m",
        "reeltune",
        "serve",
        str(tmp_path / "lib"),
        "--port",
        "0",
        "--token",
    ]
    process = subprocess.Popen(
        [*command, "--port", "0", "--root", str(root), "--model", exported_model],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def address(process: subprocess.Popen[str]) -> tuple[str, dict[str, str]]:
    """Where a server says that it is, and the header with the token that it prints."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    found = re.search(r"http://127\.0\.0\.1:\d+", lines[0])
    assert found, lines
    tokens = [line.split()[-1] for line in lines[1:]]
    assert [line.split(":")[0] for line in lines[1:]] == ["token for all", "token for reading"]
    return found[0], {"Authorization": f"Bearer {tokens[0]}"}


def brought_in(client: httpx.Client, root: Path) -> str:
    """The job that brings a folder in, once it is under way."""
    wanted = {"kind": "index", "paths": [str(root)]}
    job = client.post("/api/jobs", json=wanted).json()["id"]
    until(lambda: client.get(f"/api/jobs/{job}").json()["progress"]["files"], within=LONG)
    return job


def gone(workers: list[psutil.Process]) -> bool:
    """Whether no process is left of these."""
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in workers)


def require_sound(library: Path) -> None:
    """A library has no faults, if there is one yet."""
    if (library / "library.json").exists():
        assert Library(library).verify().faults == []


def test_a_server_that_is_killed_while_it_indexes_leaves_a_sound_library_and_no_process(
    started: subprocess.Popen[str], tmp_path: Path, root: Path
) -> None:
    url, headers = address(started)
    with httpx.Client(base_url=url, headers=headers) as client:
        assert httpx.get(f"{url}/api/library").status_code == 401
        brought_in(client, root)
    workers = psutil.Process(started.pid).children(recursive=True)
    assert workers
    os.kill(started.pid, signal.SIGKILL)
    until(lambda: gone(workers), within=LONG)
    require_sound(tmp_path / "lib")


def test_a_server_that_ends_stops_its_job(tmp_path: Path, root: Path, exported_model: str) -> None:
    settings = Settings(library=tmp_path / "lib", roots=(root.resolve(),), model=exported_model)
    others = set(psutil.Process().children(recursive=True))  # of tests before, and of Python itself
    with running(settings) as client:
        brought_in(client, root)
        workers = [one for one in psutil.Process().children(recursive=True) if one not in others]
        assert workers
    assert gone(workers)
    require_sound(tmp_path / "lib")
    Library(tmp_path / "lib").index(root)
    assert len(Library(tmp_path / "lib").files()) == 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root alone")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_and_harms_no_library(
    small_disk: Path, tmp_path: Path, root: Path, exported_model: str
) -> None:
    library = small_disk / "lib"
    Library.create(library, exported_model).index([root / "0.mp4", root / "1.mp4"])
    (small_disk / "rest").write_bytes(b"")
    with (small_disk / "rest").open("wb", buffering=0) as rest:
        try:
            while rest.write(b"x" * 4096) == 4096:
                pass
        except OSError:
            pass
    with running(Settings(library=library, roots=(root.resolve(),))) as client:
        job = client.post("/api/jobs", json={"kind": "index", "paths": [str(root)]}).json()["id"]
        until(lambda: client.get(f"/api/jobs/{job}").json()["state"] in ENDED, within=LONG)
        ended = client.get(f"/api/jobs/{job}").json()
        assert (ended["state"], ended["result"]) == ("failed", None)
        assert "No space left on device" in ended["error"]
        file = client.get("/api/files").json()["items"][0]["id"]
        refused = client.delete(f"/api/files/{file}")
        assert (refused.status_code, refused.json()["kind"]) == (507, "LibraryError")
        assert "No space left" in refused.json()["error"]
        assert client.post("/api/search", json={"words": "blue"}).json()["hits"]
        (small_disk / "rest").unlink()
        assert Library(library).verify().faults == []
        assert json.loads(client.delete(f"/api/files/{file}").text)["removed"]
