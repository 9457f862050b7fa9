"""Waits until a job of a server has ended."""

import time
from typing import Any

import httpx

from reeltune.serve.jobs import ENDED


def ended(server: httpx.Client, job: dict[str, Any], within: float) -> dict[str, Any]:
    """A job once it has ended, for which it has `within` seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        now: dict[str, Any] = server.get(f"/api/jobs/{job['id']}").json()
        if now["state"] in ENDED:
            return now
        time.sleep(0.05)
    raise AssertionError(f"the job goes on: {now}")
