"""Tuning the library's model by what was marked."""

from fastapi import APIRouter, Response

from reeltune.search.mark_captions import captions_of
from reeltune.search.marks import read_marks
from reeltune.serve import teaching as _teaching
from reeltune.serve.errors import Documented, problems
from reeltune.serve.jobs import Job
from reeltune.serve.schemas import RunId
from reeltune.serve.state import Held
from reeltune.serve.teaching import Teaching, folder_of

router = APIRouter(tags=["teaching"])
CSV: Documented = {200: {"content": {"text/csv": {}}}}


@router.get(
    "/teaching", summary="See what was marked, and what is wanted", responses=problems(404, 409)
)
def teaching(held: Held) -> Teaching:
    """How many moments have captions, how many more a fair verdict wants, and earlier tunings."""
    return _teaching.teaching(folder_of(held.library().folder))


@router.get(
    "/teaching/captions",
    summary="Take the captions as a file",
    response_class=Response,
    responses=CSV | problems(404, 409),
)
def captions(held: Held) -> Response:
    """What `reeltune library marks LIBRARY -o captions.csv` writes."""
    folder = held.library().folder
    text = captions_of(folder, read_marks(folder)).csv()
    named = {"Content-Disposition": 'attachment; filename="captions.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=named)


@router.post(
    "/tunings",
    status_code=202,
    summary="Tune by what was marked",
    responses=problems(404, 409, 507),
)
def tune(held: Held) -> Job:
    """A job; where one of the same marks was stopped, it goes on."""
    return _teaching.begin(held)


@router.post(
    "/tunings/{run}/use",
    status_code=202,
    summary="Make the library anew with a tuned model",
    responses=problems(404, 409),
)
def use(held: Held, run: RunId) -> Job:
    """A job; until it is done, searches see the library as it was."""
    return _teaching.use(held, run)
