"""The table of Dual Encoding++, rows [A] to [F], and each of its strategies alone.

Lee et al., ICCE-Asia 2023, change five things at once, in code that differs from the baseline's in
more than these. Here all rows come from one code, with several seeds, and a second table changes
one thing at a time.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from reeltune.evaluation.protocols import V2tRule
from reeltune.evaluation.retrieval import Report
from reeltune.models.dual_encoding import Config
from reeltune.models.opening.count import count_parameters
from reeltune.models.opening.weights import card_settings
from reeltune.papers import _dual_encoding_plots as plots
from reeltune.papers._dual_encoding_sweeps import (
    ALPHAS,
    AMOUNTS,
    BASELINE,
    PLUS,
    UNI,
    Cut,
    HeldOut,
    Sums,
    alpha_sums,
    pruned,
)
from reeltune.papers.table.contract import Beside, Found, Said, Section, Table
from reeltune.papers.table.entry import Entry, Measured
from reeltune.papers.table.markdown import Column, Grid, between, difference, ruled, seeds
from reeltune.papers.table.plan import Plan, recipe_of
from reeltune.papers.table.row import Row, row_of
from reeltune.recipes.read import read_recipe
from reeltune.runs.place import RunPlace

PATIENT = "dual-encoding-plus-patient"
PAPER = "msrvtt-official"  # the benchmark of the paper's figures
RECALLS = ("R@1", "R@5", "R@10")
WAYS = ("t2v", "v2t")
SHOWN = [f"{way} {name}" for way in WAYS for name in (*RECALLS, "MnR", "SumR")]
# As the paper has them: parameters that are not 0, against the baseline's.
SIZES = {"DE": 1.0, "[A]": 1.0, "[B]": 1.0, "[C]": 0.83, "[D]": 0.66, "[E]": 0.66, "[F]": 0.66}
# Slides of Dual Encoding++, MSR-VTT official: R@1, R@5, R@10, MnR. The others are with the recipes.
PRUNED: dict[str, dict[str, tuple[float, ...]]] = {
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


def _sections(plan: Plan) -> list[Section]:
    """The paper's rows, and the baseline with one strategy of the five."""
    section = partial(Section, compared=("SumR",), count=_count, fields=_fields, benchmark=PAPER)
    return [
        section(name="rows", entries=entries(plan), against={"DE": "DE"}, page=page),
        section(
            name="one at a time",
            entries=[
                Entry(name="none", method=BASELINE, what="Dual Encoding as released", paper={}),
                *map(strategy, STRATEGIES),
            ],
            against={"DE": "none"},
            page=_strategies_page,
        ),
    ]


def entries(plan: Plan) -> list[Entry]:
    """DE and [A] to [F]; pruned models are measured if they have not been."""
    cut = partial(_cut_entry, plan, held_out(plan))
    return [
        Entry(name="DE", method=BASELINE, what="Dual Encoding as released"),
        Entry(name="[A]", method=PATIENT, what="five strategies, no weights come back"),
        Entry(name="[B]", method=PLUS, what="five strategies"),
        Entry(name="[C]", method=UNI, what="[B] with a video GRU of one direction"),
        cut("[D]", PLUS, "[B], 0.36 of the weights zero", Cut(0.36)),
        cut("[E]", UNI, "[C], 0.22 of the weights zero", Cut(0.22)),
        cut("[F]", UNI, "[C], 0.22 of weights and biases zero", Cut(0.22, biases=True)),
    ]


def _cut_entry(plan: Plan, held: HeldOut, name: str, method: str, what: str, cut: Cut) -> Entry:
    """A trained method with weights at zero."""

    def measure(folder: Path) -> Measured:
        found = pruned(folder, cut, plan.out / "pruned" / method / folder.name, held)
        left = found.census
        return Measured(found.report, {"parameters": left.parameters, "zeros": left.zeros})

    named = PRUNED.get(name, {})
    paper = {
        f"{way} {figure}": value
        for way, values in named.items()
        for figure, value in zip((*RECALLS, "MnR"), values, strict=True)
    }
    return Entry(name=name, method=method, what=what, paper=paper, measure=measure)


def strategy(name: str) -> Entry:
    """The baseline with one strategy of the five."""
    what, changes = STRATEGIES[name]
    return Entry(
        name=name,
        method=BASELINE,
        what=what,
        changes=changes,
        folder=f"one-at-a-time/{name}",
        paper={},
    )


def held_out(plan: Plan) -> HeldOut:
    """The splits on which every run of the plan is tested."""
    return HeldOut(recipe_of(plan, BASELINE), RunPlace(out=plan.out, data=plan.data))


def _count(plan: Plan, row: Row) -> dict[str, Any]:
    """The number of parameters of the trained model, whose words and concepts come from
    captions."""
    config = card_settings(row.folders[0], Config)
    with torch.device("meta"):
        return {"parameters": count_parameters(config.build())["total"], "zeros": 0}


def page(found: Found) -> list[Grid | str]:
    """The rows and the paper's table, or a sentence if the rows do not have its test data."""
    sizes = [
        Column("size", lambda row: f"{_size_of(row):.3f} ({row.facts['parameters']:,})"),
        Column("non-zeros", lambda row: f"{_nonzero_of(row):.3f}"),
    ]
    own = Grid([ROW, WHAT, *sizes, *_figures_columns(found.rule)], found.rows)
    if not all(row.paper for row in found.rows):
        return [
            own,
            f"The paper's figures are of the whole test split of {PAPER}, which is not what was "
            "measured here, so they are left out.",
        ]
    rule = read_recipe(f"{PAPER}/{BASELINE}").v2t
    return [
        own,
        "The paper, on MSR-VTT with 4096-d features, one seed. Its size counts what is not zero, "
        f"and its DE is the released model, not its own run. {_said_of_rules(found.rule, rule)}",
        Grid(_papers_columns(rule), found.rows),
    ]


def _strategies_page(found: Found) -> list[Grid | str]:
    return [
        "One strategy at a time, each against DE with nothing else changed.",
        Grid([ROW._replace(head="strategy"), WHAT, *_figures_columns(found.rule)], found.rows),
    ]


ROW = Column("row", lambda row: row.name)
WHAT = Column("", lambda row: row.entry.what)


def _figures_columns(rule: V2tRule) -> list[Column]:
    """Figures, their sum with its interval, its difference from DE's, and the sum of each seed."""

    def mean(name: str) -> Column:
        with_interval = name.endswith((" R@1", "SumR"))

        def cell(row: Row) -> str:
            interval = f" ({between(name, row.sample.intervals[name])})" if with_interval else ""
            return row.shown(name) + interval

        return Column(ruled(name, rule), cell)

    return [
        *map(mean, SHOWN),
        mean("SumR"),
        Column("to DE", _compared),
        Column("seeds", lambda row: seeds(row, "SumR")),
    ]


def _compared(row: Row) -> str:
    if "DE" in row.others and _is_same(row):
        return "rank by rank the same"
    return difference("SumR", row.less("DE", "SumR"))


def _is_same(row: Row) -> bool:
    """Whether every query has the rank that the baseline gives it."""
    own, base = ([cast(Report, one).ranks for one in r.reports] for r in (row, _baseline_of(row)))
    return own == base


def _papers_columns(rule: V2tRule) -> list[Column]:
    """The paper's figures, with the sums of its recalls."""

    def figure(name: str) -> Column:
        def cell(row: Row) -> str:
            found = with_sums(row.paper)
            return f"{found[name]:.1f}" if name in found else "-"

        return Column(ruled(name, rule), cell)

    def more(row: Row) -> str:
        base = _baseline_of(row)
        return f"{with_sums(row.paper)['SumR'] - with_sums(base.paper)['SumR']:+.1f}"

    size = Column("size", lambda row: f"{SIZES[row.name]:g}")
    return [ROW, size, *map(figure, [*SHOWN, "SumR"]), Column("to DE", more)]


def with_sums(paper: Mapping[str, float]) -> dict[str, float]:
    """The paper's figures with the sums of its recalls in each direction and in both."""
    if not paper:
        return {}
    sums = {f"{way} SumR": sum(paper[f"{way} {name}"] for name in RECALLS) for way in WAYS}
    return {**paper, **sums, "SumR": sum(sums.values())}


def _said_of_rules(ours: V2tRule, papers: V2tRule) -> str:
    if ours == papers:
        return f"Video to text is ranked by the paper's rule, {papers}."
    return (
        f"Video to text is ranked by the rule {ours} here and {papers} in the paper: of the two, "
        f"only R@1 may be set against each other (--set v2t={papers} measures by the paper's)."
    )


def _fields(found: Found, row: Row) -> dict[str, Any]:
    """Sizes, figures, and the sum of both directions against the baseline's."""
    parameters = row.facts["parameters"]
    means = {name: v for name, v in row.sample.means.items() if name.startswith(WAYS)}
    return {
        "name": row.name,
        "what": row.entry.what,
        "parameters": parameters,
        "nonzeros": parameters - row.facts["zeros"],
        "size": _size_of(row),
        "nonzero": _nonzero_of(row),
        "figures": {**means, "SumR": row.sample.means["SumR"]},
        "intervals": row.sample.intervals,
        "seeds": row.sample.seeds("SumR"),
        "against": row.less("DE", "SumR") or (0.0, (0.0, 0.0)),
        "same": _is_same(row),
        "paper": with_sums(row.paper),
        "remarks": vars(row.remarks),
        "paper_size": SIZES.get(row.name),
    }


def _size_of(row: Row) -> float:
    """Parameters against the baseline's."""
    return float(row.facts["parameters"] / _baseline_size(row))


def _nonzero_of(row: Row) -> float:
    """Parameters that are not 0 against the baseline's."""
    return float((row.facts["parameters"] - row.facts["zeros"]) / _baseline_size(row))


def _baseline_size(row: Row) -> int:
    return int(_baseline_of(row).facts["parameters"])


def _baseline_of(row: Row) -> Row:
    """The row with which others are compared."""
    return row.others.get("DE", row)


def _beside(found: Sequence[Found], sweep: bool, said: Said) -> Beside:
    """Curves over alpha, and over how many weights are zero, each with its figures."""
    if not sweep:
        return Beside()
    main = found[0]
    held = held_out(main.plan)
    alphas, zeros = _alpha_curves(main, held), _sparsity_curves(main, held)
    shares = {method: [_nonzero_of(row) for row in rows] for method, rows in zeros.items()}
    curves = {method: [_fields(main, row) for row in rows] for method, rows in zeros.items()}
    return Beside(
        files={
            "alpha.json": {"alphas": ALPHAS, "sums of each seed": alphas},
            "sparsity.json": {"amounts": AMOUNTS, **curves},
        },
        plots={
            "alpha.png": plots.alpha_plot(alphas, main.rule),
            "sparsity.png": plots.sparsity_plot(zeros, shares, main.rows[0], main.rule),
        },
    )


def _alpha_curves(found: Found, held: HeldOut) -> dict[str, list[Sums]]:
    """Curves of the baseline and of [B], one for each seed."""
    out, rows = found.plan.out / "alpha", {row.entry.method: row for row in found.rows}
    return {
        method: [
            alpha_sums(folder, out / method / folder.name, held) for folder in rows[method].folders
        ]
        for method in (BASELINE, PLUS)
    }


def _sparsity_curves(found: Found, held: HeldOut) -> dict[str, list[Row]]:
    """Curves of [B] and [C] over the share of zeros, without further training."""

    def row(method: str, amount: float) -> Row:
        entry = _cut_entry(found.plan, held, str(amount), method, method, Cut(amount))
        return row_of(found.plan, entry, PAPER, found.rule, _count)

    curves = {method: [row(method, amount) for amount in AMOUNTS] for method in (PLUS, UNI)}
    for one in (row for rows in curves.values() for row in rows):
        one.others["DE"] = found.rows[0]
    return curves


TABLE = Table(
    said="intervals (95 %) by bootstrap over test videos and seeds, differences on the same "
    "draws. Size and non-zeros are parameters against those of DE. What is pruned is not trained "
    "after it.",
    sections=_sections,
    beside=_beside,
)
