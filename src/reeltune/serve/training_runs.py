"""Training runs, read from the folders that they leave: the log, the recipe and the reports.

A run that goes on is read while its files grow, and whatever cannot be read is said.
"""

import hashlib
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from reeltune.errors import ReeltuneError, counted, in_short
from reeltune.evaluation.compare import compare
from reeltune.evaluation.comparison import Comparison
from reeltune.evaluation.left_out import sentences
from reeltune.evaluation.report import AnyReport
from reeltune.search.times import as_text
from reeltune.serve.errors import Refusal
from reeltune.serve.schemas import Page
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.run_log import BEFORE, LOG, METRICS, RECIPE
from reeltune.training.log import Lines, lines_of

MOST = 20_000  # folders that are looked through for runs
LONGEST = 64 << 20  # bytes of a log or a report
LARGEST = 1e300  # of a figure; what is beyond, or no number, is not drawn
QUIET = 120.0  # s without a word, after which a run without a report counts as stopped

RunState = Literal["running", "stopped", "finished"]


class Run(BaseModel):
    """A run in short."""

    id: str
    name: str = Field(examples=["runs/toybox/vop-fp/seed0"], description="Its folder.")
    state: RunState = Field(
        description="`finished` with a report; else `running` if its log grew in the last minutes."
    )
    changed: str = Field(description="When its files were last written.")
    epochs: int
    steps: int
    dataset: str | None = None
    model: str | None = None
    incomplete: bool = Field(default=False, description="Whether test items were left out.")
    figures: dict[str, float | None] = Field(
        default={}, description="Of the test, or of the last epoch while there is no test."
    )
    problems: list[str] = Field(default=[], description="What could not be read, and why.")


class WholeRun(Run):
    """A run with all that its folder says."""

    recipe: dict[str, Any] | None = Field(default=None, description="None of a tuning.")
    history: list[dict[str, float]] = Field(description="The figures of each epoch.")
    last: dict[str, float] = Field(description="The figures of the last step.")
    report: dict[str, Any] | None = Field(default=None, description="What was measured at the end.")
    trivial: list[str] = Field(default=[], description="Figures that any model would have.")
    protocol: dict[str, str] = Field(default={}, description="The protocol card.")
    left_out: list[str] = []
    gain: dict[str, Any] | None = Field(
        default=None, description="Of a tuning: the comparison of after with before."
    )


class Runs(Page[Run]):
    """A part of the list of runs, the newest first."""

    unread: list[str] = Field(description="Folders that could not be looked through, and why.")


@dataclass(frozen=True)
class Place:
    """Where a run lies."""

    id: str
    name: str
    folder: Path
    changed: float  # s since 1970


def listed(roots: Sequence[Path], start: int, count: int) -> Runs:
    """A page of the runs below some folders."""
    unread: list[str] = []
    places = sorted(_places(roots, unread), key=lambda place: (-place.changed, place.name))
    items = [in_short_of(place) for place in places[start : start + count]]
    end = start + len(items)
    after = end if items and end < len(places) else None
    return Runs(items=items, total=len(places), next=after, unread=unread)


def placed(roots: Sequence[Path], id: str) -> Place:
    """The place of a run; raises Refusal for an id that none has."""
    found = next((place for place in _places(roots, []) if place.id == id), None)
    if found is None:
        raise Refusal(404, "NoRun", f"there is no run {id}; /api/runs lists those there are")
    return found


def in_short_of(place: Place) -> Run:
    """What a list says of a run."""
    return Run.model_validate(_read(place)[0], extra="ignore")


def whole(place: Place) -> WholeRun:
    """All that the folder of a run says."""
    said, report = _read(place)
    problems: list[str] = said["problems"]
    before = _report(place, BEFORE, problems)
    recipe = _recipe(place, problems)
    return WholeRun(**said, recipe=recipe, gain=_gain(before, report, problems))


def _read(place: Place) -> tuple[dict[str, Any], AnyReport | None]:
    """The fields that the log and the report of a run give, and the report."""
    problems: list[str] = []
    log, report = log_of(place, problems), _report(place, METRICS, problems)
    history = [numbers_of(line) for line in log.whole if line["kind"] == "epoch"]
    steps = [line for line in log.whole if line["kind"] == "step"]
    said = {
        "id": place.id,
        "name": place.name,
        "state": _state(place),
        "changed": as_text(datetime.fromtimestamp(place.changed, UTC)),
        "epochs": len(history),
        "steps": len(steps),
        "figures": _finite((history or [{}])[-1]),
        "problems": problems,
        "history": history,
        "last": numbers_of(steps[-1]) if steps else {},
    }
    return said | ({} if report is None else _measured(report)), report


def log_of(place: Place, problems: list[str]) -> Lines:
    """The log of a run as it is by now; what is wrong with it is added to `problems`."""
    content = _content(place, LOG, problems)
    lines = lines_of(content or b"")
    if lines.bad:
        problems.append(f"{LOG}: passed over {counted(lines.bad, 'line')} that cannot be read")
    if lines.is_cut and _state(place) != "running":
        problems.append(f"{LOG}: the last line is half a line, and is passed over")
    return lines


def compared(a: Place, b: Place) -> Comparison:
    """The second run against the first; raises Refusal where one has no report, and ConfigError
    where their protocols differ."""
    return compare(_measured_report(a), _measured_report(b))


def _measured_report(place: Place) -> AnyReport:
    problems: list[str] = []
    report = _report(place, METRICS, problems)
    if report is None:
        why = problems[0] if problems else "it has no report yet"
        raise Refusal(409, "NotFinished", f"{place.name} cannot be compared: {why}")
    return report


def _places(roots: Sequence[Path], unread: list[str]) -> list[Place]:
    """The folders with a log or a report; links are not followed."""
    found, looked = [], 0
    for root in roots:
        failed: list[OSError] = []
        for folder, folders, files in os.walk(root, onerror=failed.append):
            looked += 1
            if looked > MOST:
                unread.append(f"{root}: only {MOST:,} folders were looked through")
                break
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if LOG in files or METRICS in files:
                found.append(_place(root, Path(folder)))
        unread += [sayable(f"{error.filename}: {in_short(error)}") for error in failed]
    return found


def run_id(folder: Path) -> str:
    """The opaque id of the run in a folder, which need not be there yet."""
    return hashlib.blake2b(os.fsencode(folder), digest_size=16).hexdigest()


def _place(root: Path, folder: Path) -> Place:
    name = sayable(str(root.name / folder.relative_to(root)))
    times = [_written(folder / name) for name in (LOG, METRICS)]
    return Place(run_id(folder), name, folder, max(times))


def _written(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:  # it is not there, or no longer
        return 0.0


def _state(place: Place) -> RunState:
    if (place.folder / METRICS).is_file():
        return "finished"
    return "running" if time.time() - place.changed < QUIET else "stopped"


def _content(place: Place, name: str, problems: list[str]) -> bytes | None:
    """The content of a file of a run; None if there is none, or none that can be read."""
    path = place.folder / name
    try:
        if path.is_symlink():
            raise ValueError("it is a link, which is not followed")
        return read_bytes(path, LONGEST)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        problems.append(f"{name}: {in_short(error)}")
        return None


def _report(place: Place, name: str, problems: list[str]) -> AnyReport | None:
    if _content(place, name, problems) is None:
        return None
    from reeltune.tasks.finding.reports import read_report  # late, as torch comes with it

    try:
        return read_report(place.folder / name)
    except ReeltuneError as error:
        problems.append(_without(place, error))
        return None


def _recipe(place: Place, problems: list[str]) -> dict[str, Any] | None:
    if _content(place, RECIPE, problems) is None:
        return None
    from reeltune.recipes.stored import as_stored, stored_recipe  # late, as torch comes with it

    try:
        recipe = stored_recipe(place.folder)
    except ReeltuneError as error:
        problems.append(_without(place, error))
        return None
    return None if recipe is None else _plain(as_stored(recipe))


def _without(place: Place, error: ReeltuneError) -> str:
    """An error about a file of a run, without the folder."""
    return sayable(str(error).replace(f"{place.folder}{os.sep}", ""))


def sayable(text: str) -> str:
    """A text without halves of letters, which no answer can hold."""
    return text.encode(errors="replace").decode()


def _measured(report: AnyReport) -> dict[str, Any]:
    from reeltune.evaluation.protocols import card_rows  # late, as torch comes with it

    card = report.protocol
    return {
        "figures": _finite(report.values()),
        "dataset": card.dataset,
        "model": card.model,
        "incomplete": card.incomplete,
        "report": _plain(report.figures()),
        "trivial": [name for name in report.values() if not report.tells(name)],
        "protocol": card_rows(card),
        "left_out": sentences(card.left_out),
    }


def _gain(
    before: AnyReport | None, after: AnyReport | None, problems: list[str]
) -> dict[str, Any] | None:
    if before is None or after is None:
        return None
    try:
        return _plain(compare(before, after).as_dict())
    except ReeltuneError as error:
        problems.append(f"before and after: {error}")
        return None


def numbers_of(line: dict[str, Any]) -> dict[str, float]:
    """The figures of a line that are numbers."""
    return {
        sayable(name): float(value)
        for name, value in line.items()
        if isinstance(value, int | float) and abs(value) < LARGEST
    }


def _finite(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _plain(value: Any) -> Any:
    """Plain data that an answer can hold: what is not finite is None."""
    if isinstance(value, dict):
        return {sayable(str(name)): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        return sayable(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
