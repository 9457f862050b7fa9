"""Training runs: what they are, how they go, and whether one is better than another."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from reeltune.evaluation.comparison import Comparison
from reeltune.serve.curves import Curve, drawn, series_of
from reeltune.serve.errors import Refusal, problems
from reeltune.serve.schemas import MOST, Page, RunId, page_of
from reeltune.serve.state import Held
from reeltune.serve.teaching import run_folders
from reeltune.serve.training_runs import (
    Runs,
    WholeRun,
    compared,
    listed,
    log_of,
    numbers_of,
    placed,
    whole,
)

router = APIRouter(tags=["runs"])
SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # of a picture, which loads nothing
Start = Annotated[int, Query(ge=0, le=MOST)]


class Compared(BaseModel):
    """The second run against the first, figure by figure, by a paired bootstrap over videos."""

    a: str
    b: str
    v2t: str | None = Field(description="By which rule video to text was ranked.")
    differences: dict[str, Any] = Field(
        description="By figure: `a`, `b`, the 95 % interval of `b - a`, and `inside_noise`."
    )
    lacks: list[str] = Field(description="What was left out, and what is not compared.")


def compared_of(found: Comparison) -> Compared:
    """A comparison as the API has it."""
    plain = found.as_dict()
    return Compared.model_validate({**plain, "lacks": found.lacks()}, extra="ignore")


@router.get("/runs", summary="List the training runs", responses=problems())
def runs(held: Held, start: Start = 0, count: Annotated[int, Query(ge=1, le=100)] = 50) -> Runs:
    """Those below the folders that the server was started with, the newest first."""
    return listed(run_folders(held), start, count)


@router.get("/runs/{run}", summary="Look into a run", responses=problems(404))
def run(held: Held, run: RunId) -> WholeRun:
    """Its recipe, epochs, figures and protocol card; of one that goes on, as far as it is."""
    return whole(placed(run_folders(held), run))


@router.get("/runs/{run}/steps", summary="List the steps of a run", responses=problems(404))
def steps(
    held: Held, run: RunId, start: Start = 0, count: Annotated[int, Query(ge=1, le=1000)] = 200
) -> Page[dict[str, float]]:
    """The losses, rates and speed of each, as the log has them."""
    lines = log_of(placed(run_folders(held), run), []).whole
    every = [numbers_of(line) for line in lines if line["kind"] == "step"]
    return page_of(every[start : start + count], start, len(every))


Steps = Annotated[
    str | None,
    Query(
        max_length=20,
        description="How many steps are known of, which changes nothing: another number is another "
        "address, for which a browser asks anew.",
    ),
]


@router.get(
    "/runs/{run}/curves/{curve}",
    summary="See the curves of a run",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}}, **problems(404)},
)
def curve(
    held: Held, run: RunId, curve: Curve, dark: bool = False, steps: Steps = None
) -> Response:
    """An SVG, for a light page or a `dark` one."""
    series = series_of(log_of(placed(run_folders(held), run), []).whole, curve)
    if not series:
        raise Refusal(404, "NoCurve", f"the log of this run has nothing of its {curve} by now")
    headers = {"content-security-policy": SVG_POLICY}
    return Response(drawn(series, curve, dark), headers=headers, media_type="image/svg+xml")


@router.get("/runs/{run}/against/{other}", summary="Compare two runs", responses=problems(404, 409))
def against(held: Held, run: RunId, other: RunId) -> Compared:
    """`run` against `other`; refused where their protocols differ, with the fields that do."""
    places = (placed(run_folders(held), id) for id in (other, run))
    return compared_of(compared(*places))
