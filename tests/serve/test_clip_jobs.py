"""Many moments as a zip that is made as a job: watched, stopped, fetched, and later gone."""

import io
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest

from reeltune import Client, Library
from reeltune.serve import clip_jobs
from reeltune.serve.settings import Settings
from serve.ended_job import ended
from serve.running import running
from waiting import until

NO_ID = "0" * 24
LONG = 120.0  # s


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the server puts what it makes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def server(folders: Path, library: Path) -> Iterator[httpx.Client]:
    with running(Settings(library=library)) as client:
        yield client


@pytest.fixture
def ids(library: Path) -> list[str]:
    return [one.id for one in Library(library).moments()]


def begun(server: httpx.Client, ids: list[str]) -> dict[str, Any]:
    answer = server.post("/api/clips", json={"moments": ids, "exact": True})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert job["wanted"] == {"moments": ids, "exact": True}, "no place of the server is told"
    return job


def done_with(server: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    return ended(server, job, LONG, "/api/clips")


def test_a_zip_is_made_as_a_job_fetched_more_than_once_and_gone_with_the_server(
    folders: Path, library: Path, ids: list[str]
) -> None:
    with running(Settings(library=library)) as server:
        job = begun(server, [*ids, NO_ID])
        early = server.get(f"/api/clips/{job['id']}/zip")
        assert (early.status_code, early.json()["kind"]) == (409, "NotFinished")
        done = done_with(server, job)
        assert (done["state"], done["result"]) == ("done", {"clips": len(ids), "left_out": 1})
        assert (done["progress"]["size"], done["progress"]["files"]) == (len(ids) + 1,) * 2
        assert server.get("/api/jobs").json()["items"] == []
        for _ in range(2):
            answer = server.get(f"/api/clips/{job['id']}/zip")
            assert (answer.headers["clips"], answer.headers["left-out"]) == (str(len(ids)), "1")
            assert answer.headers["content-disposition"].endswith("clips.zip")
            with ZipFile(io.BytesIO(answer.content)) as archive:
                assert archive.testzip() is None
                told = json.loads(archive.read("clips.json"))
            assert [(one["id"], one["kind"]) for one in told["clips"]] == [
                (id, "exact") for id in ids
            ]
        assert len([*folders.glob("reeltune-clips-*/clips.zip")]) == 1
    assert [*folders.iterdir()] == []


def test_one_that_is_stopped_leaves_nothing_and_those_behind_it_go_on(
    server: httpx.Client, folders: Path, ids: list[str]
) -> None:
    first, second, third = (begun(server, ids[:1]) for _ in range(3))
    busy = server.post("/api/clips", json={"moments": ids})
    assert (busy.status_code, busy.json()["error"]) == (
        429,
        "2 jobs wait already; try again later",
    )
    for job in (first, third):
        assert server.delete(f"/api/clips/{job['id']}").json()["state"] in ("stopping", "stopped")
        assert done_with(server, job)["state"] == "stopped"
    assert done_with(server, second)["state"] == "done"
    assert [place.name for place in folders.glob("reeltune-clips-*/*")] == ["clips.zip"]
    assert len([*folders.iterdir()]) == 1


def test_ctrl_c_stops_the_job_that_a_client_waits_for(
    server: httpx.Client, folders: Path, ids: list[str]
) -> None:
    def ask() -> None:
        until(lambda: [*folders.glob("reeltune-clips-*")])
        time.sleep(0.3)  # until the client knows the job, whose process takes longer to begin
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=ask, daemon=True).start()
    with Client(str(server.base_url)) as client, pytest.raises(KeyboardInterrupt):
        client.save_clips(ids, folders / "clips.zip", exact=True)
    until(lambda: not [*folders.iterdir()], within=LONG)


def test_one_that_cannot_be_made_says_why_and_leaves_nothing(
    server: httpx.Client, folders: Path
) -> None:
    done = done_with(server, begun(server, [NO_ID]))
    assert done["state"] == "failed"
    assert "none of these moments can be cut out; of the first: the library has" in done["error"]
    assert [*folders.iterdir()] == []
    assert server.get(f"/api/clips/{done['id']}/zip").status_code == 409
    none = server.get("/api/clips/none")
    assert (none.status_code, none.json()["kind"]) == (404, "NoJob")


def test_a_zip_is_gone_after_its_time(
    server: httpx.Client, folders: Path, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_jobs, "FOR", 0.0)
    job = begun(server, ids[:1])
    assert done_with(server, job)["state"] == "done"
    until(lambda: not [*folders.iterdir()], within=30)
    gone = server.get(f"/api/clips/{job['id']}/zip")
    assert (gone.status_code, gone.json()["kind"]) == (410, "FileGone")
