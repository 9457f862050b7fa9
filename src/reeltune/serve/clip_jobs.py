"""Zips of clips that are made as jobs, beside those that write the library, and kept a while."""

import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from reeltune.errors import DataError, in_short
from reeltune.serve.clips import NAME, MadeFile, counted
from reeltune.serve.errors import Refusal
from reeltune.serve.jobs import Job, Jobs
from reeltune.storage.place import Place

KEPT = 6  # zips, each of 2 GiB at most, with those that are being made
WAITING = 2  # jobs that may wait
FOR = 3600.0  # s that a zip is kept


class KeptZips:
    """The folders of the jobs' zips; each goes with its job, after an hour, or with the server."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}  # by the job's id

    def read(self) -> list[Job]:
        """None: no zip outlives its server."""
        return []

    def write(self, job: Job) -> None:
        """Keep the folder of a job: a while after it is done, and not where it ends otherwise."""
        self._folders[job.id] = Path(job.wanted["out"]).parent
        if job.state in ("failed", "stopped"):
            self.forget(job.id)
        elif job.state == "done":
            timer = threading.Timer(FOR, self.forget, (job.id,))
            timer.daemon = True
            timer.start()

    def forget(self, id: str) -> None:
        """Remove the folder of a job."""
        if (folder := self._folders.pop(id, None)) is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove all folders."""
        for id in [*self._folders]:
            self.forget(id)


def clip_jobs() -> Jobs:
    """The jobs of a server that make zips."""
    return Jobs(lambda: None, KeptZips(), KEPT, WAITING)


def begin(jobs: Jobs, library: Place, ids: Sequence[str], exact: bool) -> Job:
    """Have a zip made; raises Refusal where too many wait, and DataError where it cannot lie."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="reeltune-clips-"))
    except OSError as error:
        raise DataError(f"no zip can be written ({in_short(error)})") from error
    wanted = {"moments": [*ids], "exact": exact, "library": str(library), "out": str(folder / NAME)}
    try:
        return jobs.add("clips", wanted)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def made(job: Job) -> MadeFile:
    """The zip of a job; raises Refusal where it is not there yet, or no longer."""
    if job.state != "done" or job.result is None:
        raise Refusal(409, "NotFinished", f"the job {job.id} is {job.state}; it has no zip")
    out = Path(job.wanted["out"])
    if not out.is_file():
        raise Refusal(410, "FileGone", "the zip is kept for an hour, and is gone; make it again")
    return MadeFile(None, out, NAME, counted(**job.result))
