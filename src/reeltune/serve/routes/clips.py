"""Many moments as a zip that is made as a job."""

from fastapi import APIRouter, Response

from reeltune.serve.clip_jobs import begin, made
from reeltune.serve.errors import problems
from reeltune.serve.jobs import Job
from reeltune.serve.routes.search import ZIP
from reeltune.serve.schemas import ClipsWanted
from reeltune.serve.state import Held

router = APIRouter(prefix="/clips", tags=["jobs"])


@router.post(
    "",
    status_code=202,
    summary="Have many moments cut out, as a zip",
    responses=problems(404, 409, 507),
)
def add(held: Held, wanted: ClipsWanted) -> Job:
    """A job, of which one runs at a time, beside those that bring in videos; who asks needs only
    the token for reading. No list has it, so keep its id."""
    ids = [*dict.fromkeys(id.removeprefix("#") for id in wanted.moments)]
    return shown(begin(held.clip_jobs, held.library().folder, ids, wanted.exact))


@router.get("/{job}", summary="See how far a zip is", responses=problems(404))
def job(held: Held, job: str) -> Job:
    """Its progress, and at last how many clips it has or why it failed."""
    return shown(held.clip_jobs.get(job))


@router.delete("/{job}", summary="Stop making a zip", responses=problems(404))
def stop(held: Held, job: str) -> Job:
    """Nothing of it is kept."""
    return shown(held.clip_jobs.stop(job))


@router.get(
    "/{job}/zip",
    summary="Fetch a zip",
    response_class=Response,
    responses=ZIP | problems(404, 409, 410),
)
def zipped(held: Held, job: str) -> Response:
    """What `POST /api/export/clips` answers; it is kept for an hour, unless many are made."""
    return made(held.clip_jobs.get(job))


def shown(job: Job) -> Job:
    """A job without the server's own places."""
    asked = {name: job.wanted[name] for name in ("moments", "exact")}
    return job.model_copy(update={"wanted": asked})
