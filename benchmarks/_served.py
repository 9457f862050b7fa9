"""A server of its own for a benchmark: what it has, and how it is started and asked."""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageDraw

from reeltune.cli.encoded_clip import encode_pictures

SECRET = b"what lies outside the library stays there"
SIZE, LENGTH = (160, 90), 50  # pixels and frames of the clips that are made here
SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".gif")
ENDED = ("done", "failed", "stopped")


def arguments(what: str, count: int) -> argparse.Namespace:
    """How many of what strangers send, which seed draws them, and the clips that are sent."""
    parser = argparse.ArgumentParser()
    parser.add_argument(f"--{what}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=Path, help="a folder of clips in place of those made here")
    return parser.parse_args()


def make_clips(folder: Path) -> list[Path]:
    """Four small clips in four containers."""
    paths = [folder / f"clip.{suffix}" for suffix in ("mp4", "mkv", "mov", "gif")]
    for number, path in enumerate(paths):
        pictures = [Image.new("RGB", SIZE, (40 * number, 90, 160)) for _ in range(LENGTH)]
        for at, picture in enumerate(pictures):
            ImageDraw.Draw(picture).rectangle((at, 20, at + 30, 60), (220, 60, 20))
        if path.suffix == ".gif":
            pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)
        else:
            encode_pictures(pictures, path, size=SIZE)
    return paths


def clips_of(given: Path | None, folder: Path) -> list[Path]:
    """The clips below a folder that was given, or else some that are made in `folder`."""
    found = sorted(given.rglob("*.*")) if given else []
    return [one for one in found if one.suffix in SUFFIXES] or make_clips(folder)


@contextmanager
def serving(
    library: Path, root: Path, *more: str, tokens: Mapping[str, str] | None = None
) -> Iterator[httpx.Client]:
    """A client of a server, which has `more` options and these variables as its tokens.

    Raises SystemExit where the server does not start, or ends before it is told to.
    """
    command = [sys.executable, "-m", "reeltune", "serve", str(library), "--root", str(root)]
    command += ["--port", "0", "--model", "tiny-clip", *more]
    own = {"REELTUNE_STATE": str(library.parent / "state"), **(tokens or {})}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **own})
    try:
        found = re.search(r"http://[\d.:]+", server.stdout.readline() if server.stdout else "")
        if found is None:
            raise SystemExit("the server does not start")
        with httpx.Client(base_url=found[0], timeout=300) as client:
            yield client
        if server.poll() is not None:
            raise SystemExit(f"the server ended by itself, with {server.returncode}")
    finally:
        server.terminate()
        server.wait()


def brought_in(client: httpx.Client, root: Path) -> dict[str, list[Any]]:
    """The report of a job that brings in a folder."""
    job = client.post("/api/jobs", json={"kind": "index", "paths": [str(root)]}).json()
    while job["state"] not in ENDED:
        time.sleep(0.5)
        job = client.get(f"/api/jobs/{job['id']}").json()
    if job["state"] != "done":
        raise SystemExit(f"the job is {job['state']}: {job['error']}")
    return job["result"]
