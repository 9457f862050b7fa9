"""The parts that MELTR's tables share: how retrieval and captions are shown.

Tables 8 to 10 of the paper are of retrieval (MSR-VTT 7k, text to video), 7 and 11 of captioning
(YouCook2, video and transcript), all with UniVL and without a word on seeds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reeltune.papers.table.contract import Beside, Found, Said, Section, Table
from reeltune.papers.table.entry import Entry
from reeltune.papers.table.markdown import Column, Grid, less, mean_of, ruled, seeds
from reeltune.papers.table.plan import Plan
from reeltune.papers.table.plots import dress
from reeltune.papers.table.row import Row
from reeltune.papers.table.seconds import clips_of, epoch_seconds, meta_seconds
from reeltune.training.log import read_log

SUM, PRIMARY, MELTR = "univl", "univl-primary", "univl-meltr"
CAPTION_SUM, CAPTION_PRIMARY = "univl-caption-speech", "univl-caption-speech-primary"
CAPTION_MELTR = "univl-caption-speech-meltr"
RETRIEVAL = ("t2v R@1", "t2v R@5", "t2v R@10", "SumR")
CAPTIONS = ("BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr-D")
EPOCH = "s/epoch"  # among the paper's figures
BASE, PRIMARY_LOSS = "the sum", "the primary loss"  # labels of rows that all are compared with
ORIGIN, SUMMED = "five losses", "the same summed"  # of rows that some are compared with
TO = {"to_base": BASE, "to_primary": PRIMARY_LOSS, "to_origin": ORIGIN, "to_summed": SUMMED}


def entry(
    name: str,
    method: str,
    changes: Mapping[str, Any] | None = None,
    paper: Mapping[str, float] | None = None,
    against: Mapping[str, str] | None = None,
) -> Entry:
    """A row that has only those figures of the paper that are given."""
    return Entry(
        name=name,
        method=method,
        changes=changes or {},
        paper=paper or {},
        against=against or {},
    )


def recall(value: float, seconds: float | None = None) -> dict[str, float]:
    """The paper's R@1 and seconds of an epoch."""
    return {"t2v R@1": value} | ({EPOCH: seconds} if seconds is not None else {})


def scores(*values: float) -> dict[str, float]:
    """The paper's B-3, B-4, METEOR, ROUGE-L and, in Table 7, CIDEr."""
    return dict(zip(CAPTIONS, values, strict=False))


def retrieval(title: str, said: str, *entries: Entry) -> Section:
    """A section with these rows after those of the sum and of the primary loss."""
    first = (
        entry("sum", SUM, paper=recall(26.1, 547.0)),
        entry("primary loss alone", PRIMARY),
    )
    return Section(
        name=title,
        entries=(*first, *entries),
        benchmark="msrvtt-7k",
        compared=("SumR", "t2v R@1"),
        against={BASE: "sum", PRIMARY_LOSS: "primary loss alone"},
        count=count,
        page=partial(page, said, RETRIEVAL),
        fields=fields,
    )


def captions(title: str, said: str, base: str, primary: str, entries: Sequence[Entry]) -> Section:
    """Rows among which are `base`, the sum of the losses, and `primary`, one loss alone."""
    return Section(
        name=title,
        entries=entries,
        benchmark="youcook2",
        compared=("CIDEr-D", "BLEU-4"),
        against={BASE: base, PRIMARY_LOSS: primary},
        count=count,
        page=partial(page, said, CAPTIONS),
        fields=fields,
    )


def table(
    stem: str,
    *sections: Section,
    more: Callable[[Plan, Said], Beside] = lambda plan, said: Beside(),
) -> Table:
    """All tables of MELTR share a folder: a run that two of them need is trained once.

    `more` is what the sweep has beside the plot.
    """

    def beside(found: Sequence[Found], sweep: bool, said: Said) -> Beside:
        swept = more(found[0].plan, said) if sweep else Beside()
        return replace(
            swept,
            fields={"costs": {}, **swept.fields},
            plots={f"{stem}.png": plot(found)},
        )

    return Table(
        said="intervals (95 %) by bootstrap over test videos and seeds, differences on the same "
        "draws: those that contain 0 are noise.",
        sections=lambda plan: sections,
        beside=beside,
        under="tables",
        stem=stem,
        folder="meltr",
    )


def count(plan: Plan, row: Row) -> dict[str, Any]:
    """Seconds of an epoch's training steps as a mean over the runs, and of a meta step, if any."""
    logs = [read_log(folder) for folder in row.folders]
    clips = clips_of(row.entry.recipe(plan).training)
    epochs = [epoch_seconds(log, clips) for log in logs]
    return {"seconds": float(np.mean(epochs)), "meta_seconds": meta_seconds(logs)}


def page(said: str, figures: Sequence[str], found: Found) -> list[Grid | str]:
    """Figures beside those of the paper, and differences from the rows with which others are
    compared."""
    return [
        f"## {found.section.name}",
        said,
        said_of_paper(found),
        Grid(figures_columns(figures, found), found.rows),
        "Differences.",
        Grid(differences_columns(found), found.rows),
    ]


def said_of_paper(found: Found) -> str:
    """A sentence that says what the paper's columns are, or why there are none."""
    section = found.section
    beside = {*section.against.values()}  # rows that are in every table
    if not any(entry.paper for entry in section.entries if entry.name not in beside):
        return "The paper has no such table."
    if any(row.paper for row in found.rows):
        return f"The paper's columns are of {section.benchmark}, one run each."
    return (
        f"The paper's figures are of the whole test split of {section.benchmark}, which is not "
        "what was measured here, so they are left out."
    )


def figures_columns(figures: Sequence[str], found: Found) -> list[Column]:
    rows, first = found.rows, found.section.compared[0]
    shown = [name for name in figures if all(name in row.sample.means for row in rows)]
    papers = [name for name in (*figures, EPOCH) if any(name in row.paper for row in rows)]
    meta = [META] if any(row.facts["meta_seconds"] is not None for row in rows) else []
    return [
        NAME,
        *[mean_of(name, found.rule) for name in shown],
        Column("seeds", lambda row: seeds(row, first)),
        Column(EPOCH, lambda row: f"{row.facts['seconds']:.2f}"),
        *meta,
        *map(paper, papers),
    ]


NAME = Column("row", lambda row: row.name)
META = Column(
    "s/meta step",
    lambda row: "" if (found := row.facts["meta_seconds"]) is None else f"{found:.3f}",
)


def paper(name: str) -> Column:
    """A figure of the paper."""
    return Column(f"paper {name}", lambda row: f"{row.paper[name]:g}" if name in row.paper else "")


def differences_columns(found: Found) -> list[Column]:
    """Columns with differences of the compared figures from the rows that a section compares
    with."""
    labels = [BASE, PRIMARY_LOSS]
    if any(ORIGIN in row.others for row in found.rows):
        labels += [ORIGIN, SUMMED]
    compared = found.section.compared
    return [NAME, *[less(label, name, found.rule) for name in compared for label in labels]]


def fields(found: Found, row: Row) -> dict[str, Any]:
    """Means, intervals, each seed, and differences of the compared figures."""
    compared = found.section.compared
    to = {
        key: {name: row.less(label, name) for name in compared} if label in row.others else {}
        for key, label in TO.items()
    }
    return {
        "name": row.name,
        "recipe": row.entry.method,
        "changes": row.entry.changes,
        "figures": row.sample.means,
        "intervals": row.sample.intervals,
        "seeds": {name: row.sample.seeds(name) for name in compared},
        **to,
        "paper": row.paper,
        **row.facts,
        "remarks": vars(row.remarks),
    }


def plot(found: Sequence[Found]) -> Figure:
    """A panel for each section: differences to the sum of the first compared figure, by row.

    The differences are paired, because difficulty that all rows share hides how they differ.
    """
    most = max(len(one.rows) for one in found)
    figure = Figure(figsize=(6.4 * len(found), 1.2 + 0.34 * most), layout="constrained")
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    for panel, one in zip(panels, found, strict=True):
        _panel(panel, one)
    return figure


def _panel(panel: Axes, found: Found) -> None:
    name, against = found.section.compared[0], found.section.against
    base = next(row for row in found.rows if row.name == against[BASE]).sample.seeds(name)
    for place, row in enumerate(found.rows):
        mean, (low, high) = row.less(BASE, name) or (0.0, (0.0, 0.0))
        error = [[max(mean - low, 0)], [max(high - mean, 0)]]
        colour = "tab:grey" if row.name in (against[BASE], against[PRIMARY_LOSS]) else "tab:blue"
        panel.errorbar(mean, place, xerr=error, fmt="o", color=colour, capsize=2, markersize=4)
        each = [one - other for one, other in zip(row.sample.seeds(name), base, strict=True)]
        panel.plot(each, [place] * len(each), ".", color="black", ms=2.5)
    panel.axvline(0, linestyle=":", color="grey")
    across = f"{ruled(name, found.rule)} less the sum's, 95 % intervals, and each seed"
    dress(panel, found.section.name, across, "", grid="x")
    panel.set_yticks(range(len(found.rows)), [row.name for row in found.rows])
    panel.invert_yaxis()
