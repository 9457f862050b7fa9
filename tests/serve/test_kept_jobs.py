"""What became of jobs is known to the server that comes after the one that had them."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import expect

from reeltune import Library
from reeltune.serve.jobs import CUT_OFF, Job, Jobs
from reeltune.serve.kept_jobs import MESSAGES, KeptJobs
from reeltune.serve.settings import Settings
from serve.browsing import chromium
from serve.running import WAIT, running
from waiting import until

Clip = Callable[..., Path]
COLOURS = [(200, 20, 20), (20, 200, 20), (20, 20, 200), (200, 200, 20), (20, 200, 200)]
COLOURS += [(200, 20, 200), (240, 240, 240), (60, 60, 60)]  # of moments that differ
LONG = 300.0  # s, after which a test gives up


def test_a_server_knows_the_jobs_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELTUNE_STATE", str(tmp_path))
    said: list[str] = []
    monkeypatch.setattr(MESSAGES, "handle", lambda record: said.append(record.getMessage()))
    times = {"created": "2026-01-01T00:00:00Z", "wanted": {}}
    killed, other = KeptJobs("lib"), KeptJobs("another")
    assert killed.read() == other.read() == []
    for id, state in (("b", "done"), ("a", "running"), ("c", "waiting"), ("d", "failed")):
        killed.write(Job(id=id, kind="index", state=state, **times))  # type: ignore[arg-type]
    second = Jobs(lambda: None, KeptJobs("lib"))
    assert second.all() == []
    assert "another server has them" in said[-1]
    killed.forget("d")
    killed.close()
    (folder,) = {file.parent for file in tmp_path.rglob("*.json")}
    assert folder.stat().st_mode & 0o077 == 0
    (folder / "z.json").write_text("{")
    for _ in range(2):  # what the first made of them, the second finds
        jobs = Jobs(lambda: None, KeptJobs("lib"))
        found = [(job.id, job.state, job.error) for job in jobs.all()]
        assert found == [("c", "stopped", CUT_OFF), ("a", "stopped", CUT_OFF), ("b", "done", None)]
        jobs.close()
    assert "z.json is no job, and is passed over" in " ".join(said)
    assert other.read() == []


def taught(library: Path, videos: Path, clip: Clip, model: str) -> None:
    """A library with as many captions as tuning wants."""
    clip(videos / "learned.mp4", *COLOURS, seconds=5)
    clip(videos / "held_out.mp4", *COLOURS[::-1], seconds=5)
    made = Library.create(library, model)
    made.index([videos])
    moments = sorted(made.moments(), key=lambda one: one.path, reverse=True)  # "learned" first
    for number, moment in enumerate(moments[:10]):
        made.mark(moment.id, f"colour {number}", "caption")


def killed_while_it_tunes(library: Path) -> dict[str, object]:
    """The job that a server was killed with."""
    command = [sys.executable, "-m", "reeltune", "serve", str(library), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert url
        with httpx.Client(base_url=url[0], timeout=WAIT) as client:
            job: dict[str, object] = client.post("/api/tunings").json()
            until(lambda: client.get(f"/api/jobs/{job['id']}").json()["progress"]["size"])
        workers = psutil.Process(server.pid).children(recursive=True)
        server.kill()
    assert psutil.wait_procs(workers, LONG)[1] == []
    return job


def test_a_tuning_that_its_server_was_killed_with_is_told_of_and_goes_on(
    tmp_path: Path, clip: Clip, model: str
) -> None:
    taught(tmp_path / "lib", tmp_path / "taught", clip, model)
    job = killed_while_it_tunes(tmp_path / "lib")
    with running(Settings(library=tmp_path / "lib")) as client, chromium() as browser:
        (was,) = client.get("/api/jobs").json()["items"]
        assert (was["id"], was["state"], was["error"]) == (job["id"], "stopped", CUT_OFF)
        page = browser.new_page(base_url=str(client.base_url))
        page.set_default_timeout(1000 * LONG)
        page.goto("/teach")
        card = page.get_by_role("article")
        expect(card).to_contain_text(f"Stopped: {CUT_OFF}.", timeout=1000 * LONG)
        card.get_by_role("button", name="Go on").click()
        expect(card.get_by_role("progressbar")).to_be_visible(timeout=1000 * LONG)
        again, _ = client.get("/api/jobs").json()["items"]
        assert again["wanted"] == was["wanted"]
        for id, status, kind in (
            (was["id"], 409, "Busy"),
            (again["id"], 409, "NotStopped"),
            ("none", 404, "NoJob"),
        ):
            refused = client.post(f"/api/jobs/{id}/resume")
            assert (refused.status_code, refused.json()["kind"]) == (status, kind)
        until(lambda: client.get(f"/api/jobs/{again['id']}").json()["progress"]["size"])
