"""Waits until a job of a server has ended."""

import time
from typing import Any

import httpx

from reeltune.serve.jobs import ENDED


def ended(
    server: httpx.Client, job: dict[str, Any], within: float, jobs: str = "/api/jobs"
) -> dict[str, Any]:
    """A job of those at an address once it has ended, for which it has `within` seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        now: dict[str, Any] = server.get(f"{jobs}/{job['id']}").json()
        if now["state"] in ENDED:
            return now
        time.sleep(0.05)
    raise AssertionError(f"the job goes on: {now}")
