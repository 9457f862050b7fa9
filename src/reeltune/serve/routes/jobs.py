"""Work that takes long, and the folders that it may be about."""

from pathlib import Path as Folder
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from reeltune.serve.errors import Refusal, problems
from reeltune.serve.jobs import Job
from reeltune.serve.roots import Below, allowed, below
from reeltune.serve.schemas import Page, page_of
from reeltune.serve.state import Held, State
from reeltune.serve.teaching import go_on, use
from reeltune.serve.training_runs import run_id

router = APIRouter(tags=["jobs"])
Path = Annotated[str, Field(max_length=4096)]


class NewJob(BaseModel):
    """Videos, or folders of them, to be brought in, or up to date."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["index"]
    paths: list[Path] = Field(
        min_length=1, max_length=100, examples=[["/home/ann/Videos"]], description="Below a root."
    )
    hear: bool | None = Field(
        default=None, description="Whether what is said is found, now and later."
    )
    read: bool | None = Field(
        default=None, description="Whether text in pictures is, now and later."
    )
    prune: bool = Field(
        default=False, description="Whether files that are gone from disk are taken out."
    )


@router.get("/folders", summary="Choose a folder", responses=problems(404))
def folders(held: Held, path: Annotated[str | None, Query(max_length=4096)] = None) -> Below:
    """The folders that videos may be brought in from, or what is in one below them."""
    return below(held.settings.roots, path)


@router.post("/jobs", status_code=202, summary="Bring in videos", responses=problems(404))
def add(held: Held, new: NewJob) -> Job:
    """It waits until the jobs before it have ended; ask for it again to see how far it is."""
    chosen = {"prune": "gone" if new.prune else None, "hear": new.hear, "read": new.read}
    return _index(held, new.paths, chosen)


def _index(held: State, paths: list[str], chosen: dict[str, Any]) -> Job:
    settings = held.settings
    wanted = {
        "paths": [allowed(settings.roots, path) for path in paths],
        "library": str(held.folder),
        "model": None if held.has_library() else settings.model,
        "device": settings.device,
    }
    return held.jobs.add("index", {**chosen, **wanted})


@router.get("/jobs", summary="List the jobs", responses=problems())
def jobs(held: Held) -> Page[Job]:
    """Those that are remembered, the newest first."""
    every = held.jobs.all()
    return page_of(every, 0, len(every))


@router.get("/jobs/{job}", summary="See how far a job is", responses=problems(404))
def job(held: Held, job: str) -> Job:
    """Its progress, and at last its result or why it failed."""
    return held.jobs.get(job)


@router.delete("/jobs/{job}", summary="Stop a job", responses=problems(404))
def stop(held: Held, job: str) -> Job:
    """What is complete by then stays, and the same job goes on where this one stopped."""
    return held.jobs.stop(job)


@router.post(
    "/jobs/{job}/resume",
    status_code=202,
    summary="Have a job go on that was stopped",
    responses=problems(404, 409),
)
def resume(held: Held, job: str) -> Job:
    """As a new job, which begins where the stopped one, or one that a killed server had, ended."""
    was = held.jobs.get(job)
    if was.state not in ("stopped", "failed"):
        raise Refusal(
            409, "NotStopped", f"the job {job} is {was.state}; one that was stopped can go on"
        )
    if was.kind == "tune":
        return go_on(held, was.wanted["run"])
    if was.kind == "reindex":
        return use(held, run_id(Folder(was.wanted["model"])))
    return _index(held, was.wanted["paths"], was.wanted)
