"""Work that takes long, and the folders that it may be about."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from reeltune.serve.errors import problems
from reeltune.serve.jobs import Job
from reeltune.serve.roots import Below, allowed, below
from reeltune.serve.schemas import Page, page_of
from reeltune.serve.state import Held

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
    settings = held.settings
    wanted = {
        "paths": [allowed(settings.roots, path) for path in new.paths],
        "library": str(held.folder),
        "model": None if held.has_library() else settings.model,
        "device": settings.device,
        "prune": "gone" if new.prune else None,
        "hear": new.hear,
        "read": new.read,
    }
    return held.jobs.add("index", wanted)


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
