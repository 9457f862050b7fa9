"""The jobs of a library's server as files, so that the server after it knows what became of them.

They lie in the folder of what Reeltune remembers, which others cannot read, one file a job. One
server of a library at a time has them; a further one remembers its own jobs as long as it runs.
"""

import hashlib
import logging
import time
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from reeltune.errors import in_short
from reeltune.serve.jobs import Job
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.state import state_folder

LONGEST = 1 << 24  # bytes of a job with its result
MESSAGES = logging.getLogger(__name__)


class KeptJobs:
    """The jobs of one library. Where the disk refuses something, that is logged, and work goes
    on."""

    def __init__(self, library: str) -> None:
        name = hashlib.blake2b(library.encode(errors="surrogateescape"), digest_size=8).hexdigest()
        self._folder = state_folder() / "jobs" / name
        self._lock = FileLock(self._folder / "server.lock", timeout=0, thread_local=False)
        self._files: dict[str, Path] = {}  # by the job's id

    def read(self) -> list[Job]:
        """The jobs as they were last written, in the order in which they came."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
            files = sorted(self._folder.glob("*.json"))
        except (OSError, Timeout) as error:
            why = "another server has them" if isinstance(error, Timeout) else in_short(error)
            MESSAGES.warning("jobs are not remembered in %s: %s", self._folder, why)
            return []
        return [job for file in files if (job := self._read(file)) is not None]

    def _read(self, file: Path) -> Job | None:
        try:
            job = Job.model_validate_json(read_bytes(file, LONGEST))
        except (OSError, ValueError, ValidationError) as error:
            MESSAGES.warning("%s is no job, and is passed over: %s", file, in_short(error))
            return None
        self._files[job.id] = file
        return job

    def write(self, job: Job) -> None:
        """Keep a job as it is now."""
        if not self._lock.is_locked:
            return
        file = self._files.setdefault(job.id, self._folder / f"{time.time_ns():020d}.json")
        try:
            write_atomically(file, job.model_dump_json().encode())
        except OSError as error:
            MESSAGES.warning("%s cannot be written: %s", file, in_short(error))

    def forget(self, id: str) -> None:
        """Keep a job no longer."""
        if (file := self._files.pop(id, None)) is not None:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                MESSAGES.warning("%s cannot be removed: %s", file, in_short(error))

    def close(self) -> None:
        """Leave the jobs to the next server."""
        self._lock.release()
