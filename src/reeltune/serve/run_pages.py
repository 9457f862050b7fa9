"""The pages about training runs: the list, one run, and two that are compared."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from reeltune.errors import ReeltuneError
from reeltune.evaluation.tables import shown
from reeltune.serve.curves import CURVES, SHOWN, said, series_of
from reeltune.serve.errors import Refusal
from reeltune.serve.pages import templates
from reeltune.serve.routes.runs import compared_of
from reeltune.serve.schemas import MOST, RunId
from reeltune.serve.state import Held
from reeltune.serve.teaching import run_folders
from reeltune.serve.training_runs import compared, listed, log_of, placed, whole

PAGE = 50  # runs
USUAL = ("t2v R@1", "v2t R@1", "SumR")  # figures that a list shows, where there are any
EPOCHS = 12  # figures that a table of epochs has room for

router = APIRouter(prefix="/runs", include_in_schema=False)


def figure(name: str, value: float | None, sign: str = "") -> str:
    """A figure as people are shown it."""
    return "–" if value is None else shown(name, value, sign)


def main_figures(figures: dict[str, float | None]) -> str:
    """The figures of a run in a line."""
    names = [name for name in USUAL if name in figures] or list(figures)[:3]
    return ", ".join(f"{name} {figure(name, figures[name])}" for name in names)


templates.env.globals |= {"figure": figure, "main_figures": main_figures}


@router.get("")
def index(
    request: Request, held: Held, start: Annotated[int, Query(ge=0, le=MOST)] = 0
) -> Response:
    """The list of runs."""
    found = listed(run_folders(held), start, PAGE)
    facts = {"found": found, "start": start, "page": PAGE, "folders": run_folders(held)}
    return templates.TemplateResponse(request, "runs.html", facts)


@router.get("/compare")
def compare(
    request: Request, held: Held, run: Annotated[list[str] | None, Query(max_length=100)] = None
) -> Response:
    """Two runs, or why they cannot be compared."""
    facts: dict[str, Any] = {"found": None, "reason": None, "cards": ()}
    try:
        if run is None or len(run) != 2:
            count = len(run or ())
            raise Refusal(400, "NotTwo", f"runs that are chosen: {count}; choose two in the list")
        a, b = (placed(run_folders(held), id) for id in run)
        facts["cards"] = tuple((one.name, whole(one).protocol) for one in (a, b))
        facts["found"] = compared_of(compared(a, b))
    except (Refusal, ReeltuneError) as error:
        facts["reason"] = error.detail if isinstance(error, Refusal) else str(error)
    return templates.TemplateResponse(request, "runs_compare.html", facts)


@router.get("/{run}")
def one(request: Request, held: Held, run: RunId) -> Response:
    """A run with its curves and tables."""
    place = placed(run_folders(held), run)
    found, lines = whole(place), log_of(place, []).whole
    drawn = ((curve, series_of(lines, curve)) for curve in CURVES)
    names = dict.fromkeys(name for line in found.history for name in line if name != "step")
    facts = {
        "run": found,
        "curves": [(curve, SHOWN[curve], said(made, curve)) for curve, made in drawn if made],
        "columns": list(names)[:EPOCHS],
        "hidden": list(names)[EPOCHS:],
        "intervals": (found.report or {}).get("intervals") or {},
    }
    return templates.TemplateResponse(request, "run.html", facts)
