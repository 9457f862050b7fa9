"""Plots the results of trained Dual Encodings that need no more training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from reeltune.evaluation.protocols import V2tRule
from reeltune.papers._dual_encoding_sweeps import (
    ALPHAS,
    AMOUNTS,
    BASELINE,
    NORMALISATIONS,
    PLUS,
    UNI,
    Sums,
)
from reeltune.papers.table.markdown import ruled
from reeltune.papers.table.plots import dress
from reeltune.papers.table.row import Row

NAMES = {BASELINE: "DE", PLUS: "[B]", UNI: "[C]"}
COLOURS = {BASELINE: "tab:grey", PLUS: "tab:blue", UNI: "tab:orange"}
CHOSEN = {BASELINE: ("range", 0.6), PLUS: ("max", 0.2)}  # normalisation and alpha of the recipes
WAYS = {"t2v": "text to video", "v2t": "video to text"}


def alpha_plot(curves: Mapping[str, Sequence[Sums]], rule: V2tRule) -> Figure:
    """A panel for each direction and split, a line for each model and normalisation, and a dot
    where the recipe is."""
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    first = next(iter(curves.values()))[0][NORMALISATIONS[0]]
    for up, part in enumerate(dict.fromkeys(name.split()[0] for name in first)):
        for across, (way, said) in enumerate(WAYS.items()):
            axes = panels[up][across]
            title = f"{said}, {part}" + (f" ({rule})" if way == "v2t" else "")
            dress(axes, title, "alpha: weight of the latent score" if up else "", "SumR")
            for method, seeds in curves.items():
                for name, style in zip(NORMALISATIONS, ("-", "--"), strict=True):
                    mean = np.mean([sums[name][f"{part} {way}"] for sums in seeds], axis=0)
                    label = f"{NAMES[method]}, by {name}"
                    axes.plot(ALPHAS, mean, style, color=COLOURS[method], label=label)
                    if name == CHOSEN[method][0]:
                        place = ALPHAS.index(CHOSEN[method][1])
                        axes.plot(ALPHAS[place], mean[place], "o", color=COLOURS[method])
    panels[0][0].legend(frameon=False, fontsize=8)
    return figure


def sparsity_plot(
    curves: Mapping[str, Sequence[Row]],
    shares: Mapping[str, Sequence[float]],
    base: Row,
    rule: V2tRule,
) -> Figure:
    """SumR by the share of weights that is zero, and by what is left of the baseline (`shares`)."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    dress(left, "Not trained after pruning", "share of weights at zero", ruled("SumR", rule))
    dress(right, "", "non-zeros against DE's parameters", "")
    for method, curve in curves.items():
        means = [row.sample.means["SumR"] for row in curve]
        low, high = np.array([row.sample.intervals["SumR"] for row in curve]).T
        for axes, places in ((left, AMOUNTS), (right, shares[method])):
            axes.plot(places, means, "o-", color=COLOURS[method], label=NAMES[method], ms=3)
            axes.fill_between(places, low, high, color=COLOURS[method], alpha=0.15, linewidth=0)
    for axes in (left, right):
        axes.axhline(base.sample.means["SumR"], linestyle=":", color="grey", label="DE")
    right.axvline(0.66, linewidth=0.8, color="lightgrey", label="0.66, the paper's")
    right.legend(frameon=False, fontsize=8)
    return figure
