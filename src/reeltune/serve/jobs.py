"""Work that takes long: one job at a time, in a process of its own, watched and stopped from here.

The process is told what to do on its standard input, and stops when that ends, so it never
outlives the server. Whenever it is stopped, or killed, the library keeps what was complete. Jobs
are kept as well (see `kept_jobs`), so a server says what became of those of the one before it.
"""

import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any, Literal, Protocol

from pydantic import BaseModel, Field

from reeltune.errors import in_short
from reeltune.search.times import as_text
from reeltune.serve.errors import Refusal

KEPT = 50  # jobs that are remembered
WAITING = 16  # jobs that may wait
PATIENCE = 30.0  # s that a job has to stop before its process is killed
LONGEST = 1 << 24  # bytes of a message
CUT_OFF = "the server ended before the job did; what was complete by then stays"
WORKER = (sys.executable, "-P", "-m", "reeltune.serve.job_process")

JobState = Literal["waiting", "running", "stopping", "done", "failed", "stopped"]
ENDED: tuple[JobState, ...] = ("done", "failed", "stopped")


class Progress(BaseModel):
    """How far a job is."""

    work: str = Field(
        default="",
        description="`hearing` or `reading` while words are found; `decoding` or `training`.",
    )
    files: int = Field(default=0, description="How many files there are to do.")
    size: int = Field(
        default=0, description="Their bytes; of `tune`, clips or steps; of `clips`, clips."
    )
    done: int = Field(default=0, description="Of these, how many are done.")
    path: str = Field(default="", description="The file that was worked on last.")
    figures: dict[str, float] = Field(
        default={}, description="Of `tune`: those of the last step and the last epoch."
    )


class Job(BaseModel):
    """A job and what became of it."""

    id: str
    kind: str = Field(examples=["index"])
    wanted: dict[str, Any] = Field(examples=[{"paths": ["/home/ann/Videos"]}])
    state: JobState = "waiting"
    progress: Progress = Progress()
    result: dict[str, Any] | None = Field(
        default=None,
        description="Of `index`: the report, with the files that failed and why; of `tune`: the "
        "verdict and the figures before and after; of `reindex`: what became of the library; of "
        "`clips`: how many are in the zip, and how many moments were left out.",
    )
    error: str | None = None
    error_kind: str | None = Field(default=None, description="As `kind` of errors of the API.")
    created: str
    ended: str | None = None


class Keeper(Protocol):
    """What keeps jobs for a server that comes after this one."""

    def read(self) -> list[Job]:
        """Those of the servers before, in the order in which they came."""
        ...

    def write(self, job: Job) -> None:
        """Keep a job as it is now."""
        ...

    def forget(self, id: str) -> None:
        """Keep a job no longer."""
        ...

    def close(self) -> None:
        """Leave them to the next server."""
        ...


class Jobs:
    """The jobs of a server; any number of threads may use it at once."""

    def __init__(
        self,
        ended: Callable[[], None],
        keeper: Keeper,
        kept: int = KEPT,
        waiting: int = WAITING,
    ) -> None:
        """`ended` is called when a job has. Jobs that a server before was killed with are stopped
        ones. So many are kept, and so many may wait."""
        self._ended, self._keeper = ended, keeper
        self._kept, self._waiting = kept, waiting
        self._lock = threading.Lock()  # over what follows
        self._jobs: dict[str, Job] = {}  # in the order in which they came
        self._process: subprocess.Popen[bytes] | None = None  # of the job that runs
        self._runner: threading.Thread | None = None
        self._closed = False
        for job in keeper.read():
            self._jobs[job.id] = job
            if job.state not in ENDED:
                self._end(job, "stopped", error=CUT_OFF)

    def add(self, kind: str, wanted: Mapping[str, Any]) -> Job:
        """Have a job done when those before it have ended; raises Refusal where too many wait."""
        with self._lock:
            if sum(job.state == "waiting" for job in self._jobs.values()) >= self._waiting:
                raise Refusal(429, "TooMany", f"{self._waiting} jobs wait already; try again later")
            job = Job(id=secrets.token_hex(8), kind=kind, wanted=dict(wanted), created=_now())
            self._jobs[job.id] = job
            self._keeper.write(job)
            ended = [one.id for one in self._jobs.values() if one.state in ENDED]
            for id in ended[: max(0, len(self._jobs) - self._kept)]:
                del self._jobs[id]
                self._keeper.forget(id)
            if self._runner is None or not self._runner.is_alive():
                self._runner = threading.Thread(target=self._run_all, daemon=True)
                self._runner.start()
            return job.model_copy()

    def all(self) -> list[Job]:
        """Every job that is remembered, the newest first."""
        with self._lock:
            return [job.model_copy() for job in reversed(self._jobs.values())]

    def get(self, id: str) -> Job:
        """A job as it is now; raises Refusal for an id that none has."""
        with self._lock:
            return self._job(id).model_copy()

    def stop(self, id: str) -> Job:
        """Have a job stop, if it has not ended; what it has completed stays."""
        with self._lock:
            job = self._job(id)
            if job.state == "waiting":
                self._end(job, "stopped")
            elif job.state == "running":
                self._change(job, state="stopping")
                self._stop_process()
            return self._job(id).model_copy()

    def close(self) -> None:
        """Stop all jobs, and wait until the one that runs has ended."""
        with self._lock:
            self._closed = True
            self._stop_process()
            runner = self._runner
        if runner is not None:
            runner.join(PATIENCE + 5)
        self._keeper.close()

    def _job(self, id: str) -> Job:
        if id not in self._jobs:
            raise Refusal(404, "NoJob", f"there is no job {id}; /api/jobs lists those there are")
        return self._jobs[id]

    def _change(self, job: Job, **fields: object) -> None:
        now = self._jobs[job.id] = self._jobs[job.id].model_copy(update=fields)
        if "state" in fields:
            self._keeper.write(now)

    def _end(self, job: Job, state: JobState, **fields: object) -> None:
        self._change(job, state=state, ended=_now(), **fields)

    def _stop_process(self) -> None:
        """Tell the process by the end of its input, and kill it where it does not listen."""
        process = self._process
        if process is None:
            return
        with suppress(OSError):
            _pipe(process.stdin).close()
        killer = threading.Timer(PATIENCE, process.kill)
        killer.daemon = True
        killer.start()

    def _run_all(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._follow(job)
            except Exception as error:  # or the jobs behind it would wait for ever
                with self._lock:
                    self._end(job, "failed", error=f"{type(error).__name__}: {in_short(error)}")
            if not self._closed:
                self._ended()

    def _next(self) -> Job | None:
        """The first job that waits, as one that runs; None, and the runner ends, if none does."""
        with self._lock:
            waiting = (job for job in self._jobs.values() if job.state == "waiting")
            job = None if self._closed else next(waiting, None)
            if job is None:
                self._runner = None
                return None
            self._process = subprocess.Popen(
                WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            self._change(job, state="running")
            return job

    def _follow(self, job: Job) -> None:
        """Hear what a job's process says until it ends."""
        process, last = self._process, {}
        if process is None:
            return
        order = {"kind": job.kind, "wanted": job.wanted}
        with suppress(OSError):  # of a process that has ended, or was stopped by now
            _pipe(process.stdin).write(json.dumps(order).encode() + b"\n")
            _pipe(process.stdin).flush()
        for line in iter(lambda: _pipe(process.stdout).readline(LONGEST), b""):
            said = json.loads(line)
            if "progress" in said:
                with self._lock:
                    self._change(job, progress=Progress(**said["progress"]))
            else:
                last = said
        code = process.wait()
        with suppress(OSError):
            _pipe(process.stdin).close()
        _pipe(process.stdout).close()
        with self._lock:
            self._process = None
            was_told = self._jobs[job.id].state == "stopping" or self._closed
            self._end(job, **outcome(last, was_told, code))


def outcome(said: Mapping[str, Any], was_stopped: bool, code: int) -> dict[str, Any]:
    """State, result and error of a job, by the last that its process said and its exit code."""
    result, error = said.get("result"), said.get("error")
    if result is not None and not said.get("stopped"):
        return {"state": "done", "result": result}
    if was_stopped or said.get("stopped"):
        return {"state": "stopped", "result": result}
    reason = error or f"its process ended with {code} and said nothing; what it stored is sound"
    return {"state": "failed", "error": reason, "error_kind": said.get("kind")}


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("the process has no such pipe")
    return pipe


def _now() -> str:
    return as_text(datetime.now(UTC))
