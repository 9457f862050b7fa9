"""The table of Dual Encoding++, rows [A] to [F], and each of its strategies alone.

Lee et al., ICCE-Asia 2023, change five things at once, in code that differs from the baseline's in
more than these. Here all rows come from one code, with several seeds, and a second table changes
one thing at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float

from reeltune.evaluation.remarks import Remarks, remarks_of
from reeltune.evaluation.retrieval import Report
from reeltune.models.dual_encoding import Config
from reeltune.models.opening.count import count_parameters
from reeltune.models.opening.weights import card_settings
from reeltune.papers._dual_encoding_sweeps import Cut, HeldOut, Sums, alpha_sums, pruned
from reeltune.papers.vop import (
    Bounds,
    Job,
    Plan,
    bounds,
    drawn,
    is_papers_own,
    jobs_of,
    mean_of,
    measured,
    recipe_of,
)
from reeltune.recipes.read import read_recipe
from reeltune.runs.place import RunPlace

BASELINE, PLUS, UNI = "dual-encoding", "dual-encoding-plus", "dual-encoding-plus-uni"
PAPER = "msrvtt-official"  # the benchmark of the paper's figures
RECALLS = ("R@1", "R@5", "R@10")
WAYS: tuple[Literal["t2v"], Literal["v2t"]] = ("t2v", "v2t")
Figure = TypeVar("Figure", float, Float[np.ndarray, " R"])
AMOUNTS = tuple(number / 10 for number in range(10))  # of the curve


@dataclass(frozen=True)
class Entry:
    """A row of the paper's table."""

    name: str
    method: str
    what: str
    size: float  # as the paper has it: parameters that are not 0, against the baseline's
    cut: Cut | None = None


ENTRIES = (
    Entry("DE", BASELINE, "Dual Encoding as released", 1.0),
    Entry("[A]", "dual-encoding-plus-patient", "five strategies, no weights come back", 1.0),
    Entry("[B]", PLUS, "five strategies", 1.0),
    Entry("[C]", UNI, "[B] with a video GRU of one direction", 0.83),
    Entry("[D]", PLUS, "[B], 0.36 of the weights zero", 0.66, Cut(0.36)),
    Entry("[E]", UNI, "[C], 0.22 of the weights zero", 0.66, Cut(0.22)),
    Entry("[F]", UNI, "[C], 0.22 of weights and biases zero", 0.66, Cut(0.22, biases=True)),
)
# Slides of Dual Encoding++, MSR-VTT official: R@1, R@5, R@10, MnR. The others are with the recipes.
PAPER_PRUNED: dict[str, dict[str, tuple[float, ...]]] = {
    "[D]": {"t2v": (12.23, 31.99, 43.45, 118.47), "v2t": (20.47, 45.35, 58.26, 45.57)},
    "[E]": {"t2v": (12.00, 31.88, 43.22, 117.31), "v2t": (20.57, 46.19, 58.63, 42.30)},
    "[F]": {"t2v": (11.98, 31.85, 43.21, 117.28), "v2t": (20.80, 46.19, 58.60, 42.45)},
}
STRATEGIES: dict[str, tuple[str, dict[str, Any]]] = {
    "padding": ("its row zero and frozen", {"config.pad": "zero"}),
    "alpha": ("0.2 by max", {"config.alpha": 0.2, "config.normalisation": "max"}),
    "loss": ("mean over the batch", {"config.reduction": "mean"}),
    "selection": ("by t2v SumR", {"training.judged_by": "t2v SumR"}),
    "schedule": (
        "halved after 3 bad epochs, best weights back",
        {"training.schedule": "reload", "training.patience": 10},
    ),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: means over seeds. Figures are "t2v R@1" and so on, and "SumR" of both directions."""

    name: str
    what: str
    parameters: int
    nonzeros: int
    size: float  # parameters against the baseline's
    nonzero: float  # parameters that are not 0 against the baseline's
    figures: dict[str, float]
    intervals: dict[str, Bounds]
    seeds: list[float]  # SumR of each
    against: tuple[float, Bounds]  # SumR less the baseline's
    same: bool  # every query has the rank that the baseline gives it
    paper: dict[str, float]
    remarks: Remarks
    paper_size: float | None = None


@dataclass(frozen=True)
class Tested:
    """All seeds of a row."""

    reports: list[Report]
    parameters: int
    zeros: int = 0

    @cached_property
    def draws(self) -> dict[str, Float[np.ndarray, " R"]]:
        """Recalls and their sums in each draw of videos and seeds, the same for both directions."""
        found = {
            f"{way} {name}": drawn(self.reports, way=way, depth=int(name.removeprefix("R@")))
            for way in WAYS
            for name in RECALLS
        }
        return _with_sums(found)


def strategy_jobs(plan: Plan) -> dict[str, list[Job]]:
    """The baseline with one strategy of the five, each with every seed."""
    place = plan.out / "one-at-a-time"
    return {
        name: [
            Job(BASELINE, seed, place / name / f"seed{seed}", (*plan.changes.items(), *changes))
            for seed in range(plan.seeds)
        ]
        for name, (_, one) in STRATEGIES.items()
        for changes in [tuple(one.items())]
    }


def held_out(plan: Plan) -> HeldOut:
    """What every run of the plan is tested on."""
    return HeldOut(recipe_of(plan, BASELINE), RunPlace(out=plan.out, data=plan.data))


def rows_of(plan: Plan, held: HeldOut) -> list[Row]:
    """DE and [A] to [F], from the runs on disk; what is pruned is measured where it is missing."""
    found = {entry.name: _tested_entry(plan, entry, held) for entry in ENTRIES}
    return [
        _row(
            entry.name,
            entry.what,
            found[entry.name],
            found["DE"],
            papers_figures(entry)
            if is_papers_own(plan, PAPER, entry.method, found[entry.name].reports)
            else {},
            entry.size,
        )
        for entry in ENTRIES
    ]


def strategy_rows(plan: Plan) -> list[Row]:
    """The baseline, and each strategy alone."""
    base = _tested(plan, _folders(plan, BASELINE))
    rows = [_row("none", "Dual Encoding as released", base, base)]
    for name, jobs in strategy_jobs(plan).items():
        own = _tested(plan, [job.folder for job in jobs])
        rows.append(_row(name, STRATEGIES[name][0], own, base))
    return rows


def alpha_curves(plan: Plan, held: HeldOut) -> dict[str, list[Sums]]:
    """Of the baseline and of [B], one for each seed."""
    return {
        method: [
            alpha_sums(folder, plan.out / "alpha" / method / folder.name, held)
            for folder in _folders(plan, method)
        ]
        for method in (BASELINE, PLUS)
    }


def sparsity_curves(plan: Plan, held: HeldOut) -> dict[str, list[Row]]:
    """[B] and [C] by how many weights are zero, with nothing trained after it."""
    base = _tested(plan, _folders(plan, BASELINE))
    return {
        method: [
            _row(str(cut.amount), method, _cut(plan, method, cut, held), base)
            for cut in map(Cut, AMOUNTS)
        ]
        for method in (PLUS, UNI)
    }


def _tested_entry(plan: Plan, entry: Entry, held: HeldOut) -> Tested:
    if entry.cut is None:
        return _tested(plan, _folders(plan, entry.method))
    return _cut(plan, entry.method, entry.cut, held)


def _tested(plan: Plan, folders: Sequence[Path]) -> Tested:
    return Tested([measured(plan, folder) for folder in folders], _parameters(folders[0]))


def _cut(plan: Plan, method: str, cut: Cut, held: HeldOut) -> Tested:
    found = [
        pruned(folder, cut, plan.out / "pruned" / method / folder.name, held)
        for folder in _folders(plan, method)
    ]
    left = found[0].census
    return Tested([one.report for one in found], left.parameters, left.zeros)


def _folders(plan: Plan, method: str) -> list[Path]:
    return [job.folder for job in jobs_of(plan) if job.method == method]


def _parameters(folder: Path) -> int:
    """Of the model as it was trained, whose words and concepts come from the captions."""
    config = card_settings(folder, Config)
    with torch.device("meta"):
        return count_parameters(config.build())["total"]


def _row(
    name: str,
    what: str,
    own: Tested,
    base: Tested,
    paper: Mapping[str, float] | None = None,
    paper_size: float | None = None,
) -> Row:
    totals = [report.t2v["SumR"] + report.v2t["SumR"] for report in own.reports]
    less = float(np.mean(totals)) - _figures(base.reports)["SumR"]
    return Row(
        name=name,
        what=what,
        parameters=own.parameters,
        nonzeros=own.parameters - own.zeros,
        size=own.parameters / base.parameters,
        nonzero=(own.parameters - own.zeros) / base.parameters,
        figures=_figures(own.reports),
        intervals={figure: bounds(values) for figure, values in own.draws.items()},
        seeds=totals,
        against=(less, bounds(own.draws["SumR"] - base.draws["SumR"])),
        same=[report.ranks for report in own.reports] == [r.ranks for r in base.reports],
        paper=dict(paper or {}),
        remarks=remarks_of(own.reports),
        paper_size=paper_size,
    )


def _figures(reports: Sequence[Report]) -> dict[str, float]:
    """Means over seeds."""
    ways = {
        "t2v": mean_of([report.t2v for report in reports]),
        "v2t": mean_of([report.v2t for report in reports]),
    }
    found = {f"{way} {name}": value for way, one in ways.items() for name, value in one.items()}
    return {**found, "SumR": found["t2v SumR"] + found["v2t SumR"]}


def papers_figures(entry: Entry) -> dict[str, float]:
    """The paper's figures on MSR-VTT, with the sums of its recalls."""
    if entry.name in PAPER_PRUNED:
        names = (*RECALLS, "MnR")
        ways = {
            way: dict(zip(names, values, strict=True))
            for way, values in PAPER_PRUNED[entry.name].items()
        }
    else:
        recipe = read_recipe(f"{PAPER}/{entry.method}")
        ways = {"t2v": recipe.expected, "v2t": recipe.expected_v2t}
    return _with_sums(
        {f"{way} {name}": value for way, one in ways.items() for name, value in one.items()}
    )


def _with_sums(found: Mapping[str, Figure]) -> dict[str, Figure]:
    """Figures with the sum of the recalls of each direction, and of both."""
    sums = {way: reduce(add, (found[f"{way} {name}"] for name in RECALLS)) for way in WAYS}
    each = {f"{way} SumR": one for way, one in sums.items()}
    return {**found, **each, "SumR": sums["t2v"] + sums["v2t"]}
