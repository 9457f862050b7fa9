"""Jobs, and the folders that they may be about, over HTTP from a real server."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from reeltune import Library
from reeltune.serve.jobs import WORKER
from reeltune.serve.settings import Settings
from serve.ended_job import ended
from serve.running import running

Clip = Callable[..., Path]
SOON = 60.0  # s in which a job of small clips ends on a busy machine


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Path:
    """A root with a folder of videos, one of which is none, a hidden one, and links out of it."""
    place = tmp_path_factory.mktemp("place")
    clip(place / "root" / "trips" / "red.mp4", (200, 20, 20), seconds=1)
    clip(place / "root" / "trips" / "blue.mp4", (20, 20, 200), seconds=1)
    (place / "root" / "trips" / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 100)
    (place / "root" / ".hidden").mkdir()
    clip(place / "secret" / "green.mp4", (20, 200, 20), seconds=1)
    (place / "root" / "way_out").symlink_to(place / "secret")
    (place / "root" / "film.mp4").symlink_to(place / "secret" / "green.mp4")
    return place


@pytest.fixture(scope="module")
def server(place: Path, exported_model: str) -> Iterator[httpx.Client]:
    """A server that may bring in what is below the root, and has no library yet."""
    settings = Settings(
        library=place / "lib", roots=((place / "root").resolve(),), model=exported_model
    )
    with running(settings) as client:
        yield client


def test_a_folder_is_brought_in_and_a_video_taken_out(server: httpx.Client, place: Path) -> None:
    folder = str(place / "root" / "trips")
    added = server.post("/api/jobs", json={"kind": "index", "paths": [folder]})
    assert (added.status_code, added.json()["kind"]) == (202, "index")
    done = ended(server, added.json(), SOON)
    assert (done["state"], done["error"]) == ("done", None)
    assert [Path(one["path"]).name for one in done["result"]["indexed"]] == ["blue.mp4", "red.mp4"]
    (failed,) = done["result"]["failed"]
    assert failed["path"].endswith("broken.mp4")
    assert failed["reason"]
    assert done["progress"]["files"] == 3
    assert server.get("/api/jobs").json()["items"][0] == done
    files = server.get("/api/files").json()["items"]
    assert len(files) == 2
    assert server.post("/api/search", json={"words": "red"}).json()["hits"]
    gone = server.delete(f"/api/files/{files[0]['id']}").json()
    assert gone == {"removed": [files[0]["path"]]}
    assert Path(files[0]["path"]).is_file()
    assert [one["id"] for one in server.get("/api/files").json()["items"]] == [files[1]["id"]]


def test_jobs_wait_for_each_other_and_can_be_stopped(server: httpx.Client, place: Path) -> None:
    wanted = {"kind": "index", "paths": [str(place / "root" / "trips")]}
    first, second = (server.post("/api/jobs", json=wanted).json() for _ in range(2))
    assert server.delete(f"/api/jobs/{second['id']}").json()["state"] == "stopped"
    server.delete(f"/api/jobs/{first['id']}")
    assert ended(server, first, SOON)["state"] in ("stopped", "done")
    assert Library(place / "lib").verify().faults == []


def test_the_chooser_shows_folders_below_the_roots_alone(server: httpx.Client, place: Path) -> None:
    root = str((place / "root").resolve())
    assert server.get("/api/folders").json()["folders"] == [root]
    inside = server.get("/api/folders", params={"path": root}).json()
    assert (inside["folders"], inside["parent"]) == ([f"{root}/trips"], None)
    trips = server.get("/api/folders", params={"path": f"{root}/trips"}).json()
    assert (trips["videos"], trips["parent"]) == (3, root)


@pytest.mark.parametrize(
    "path",
    [
        "{root}/../secret",
        "{root}/way_out",
        "{root}/film.mp4",
        "{root}/trips/../../secret",
        "{root}/nothing",
        "{root}\0",
        "/",
        "/etc",
        "~",
        "",
        ".",
        "root",
        "file://{root}",
    ],
)
def test_nothing_outside_of_the_roots_is_seen_or_brought_in(
    server: httpx.Client, place: Path, path: str
) -> None:
    path = path.format(root=(place / "root").resolve())
    answers = [
        server.get("/api/folders", params={"path": path}),
        server.post("/api/jobs", json={"kind": "index", "paths": [path]}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["kind"]) == (404, "NotAllowed")
        assert answer.json()["error"].startswith(f"{path} is nothing that")


def test_a_job_that_is_not_there_is_said(server: httpx.Client) -> None:
    for answer in (server.get("/api/jobs/none"), server.delete("/api/jobs/none")):
        assert (answer.status_code, answer.json()["kind"]) == (404, "NoJob")


def test_a_process_of_a_job_ends_in_peace_while_its_input_is_open(tmp_path: Path) -> None:
    order = {"paths": [str(tmp_path / "none")], "library": str(tmp_path / "lib")}
    with subprocess.Popen(
        WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps({"kind": "index", "wanted": order}) + "\n")
        process.stdin.flush()
        said = json.loads(process.stdout.readline())
        assert "is not there" in said["error"]
        assert (process.wait(), process.stderr.read()) == (0, "")
