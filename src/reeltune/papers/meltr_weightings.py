"""A table that the paper lacks: MELTR beside other ways to weigh losses, most of which cost less.

All rows have the same model, data, rate of learning and number of steps. Weightings have the
defaults of their papers or of torchjd, which were not tuned on this data; nor was MELTR's K.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from reeltune.papers._in_turns import in_turns, kept, opened
from reeltune.papers._meltr import (
    CAPTION_MELTR,
    CAPTION_PRIMARY,
    CAPTION_SUM,
    MELTR,
    SUM,
    captions,
    entry,
    retrieval,
    table,
)
from reeltune.papers.meltr_schemes import SCHEMES
from reeltune.papers.table.contract import Beside, Said
from reeltune.papers.table.entry import Entry
from reeltune.papers.table.markdown import grid
from reeltune.papers.table.plan import Plan
from reeltune.registry import packaged
from reeltune.runs.place import RunPlace

SAID = (
    "Weightings look at the values of the losses (uncertainty, imtl-l, dwa, famo, stch, "
    "random-weights), at their gradients (gradnorm, pcgrad, cagrad, upgrad), or at their gradients "
    "beside that of the primary loss on held-out data (aligned). MELTR reads values, and learns by "
    "held-out data too; its schemes have no regulariser, and the last row is the recipe, which has."
)


def _weighed(summed: str, melted: str) -> Iterator[Entry]:
    """A row for each weighting of the package, for MELTR by each scheme, and for its recipe."""
    for name in packaged("training.weightings"):
        yield entry(name, summed, {"training.combine": name})
    for name in reversed(SCHEMES):
        yield entry(f"MELTR, {name}", melted, {"meltr.scheme": name, "meltr.step.gamma": 0.0})
    yield entry("MELTR, linear", melted, {"meltr.kind": "linear", "meltr.step.gamma": 0.0})
    yield entry("MELTR, the recipe", melted)


def costs(plan: Plan, entries: Sequence[Entry], rounds: int = 5) -> dict[str, Any]:
    """Seconds and MB that a training step of each row takes, in turns; those of the first row are
    compared with."""
    ways = {one.name: one.recipe(plan) for one in entries}
    every = next(recipe.meltr.step.every for recipe in ways.values() if recipe.meltr)
    asked = [rounds, *[recipe.model_dump(mode="json") for recipe in ways.values()]]

    def measure() -> dict[str, Any]:
        with opened(ways, RunPlace(out=plan.out, data=plan.data), every) as cycles:
            found = in_turns(cycles, rounds)
            return {
                name: {**asdict(taken), "mb": cycles[name].memory() / 1e6}
                for name, taken in found.items()
            }

    return kept(plan.out / "weighting-costs.json", asked, measure)


def _beside(plan: Plan, said: Said) -> Beside:
    said("measuring what the weightings cost, in turns")
    found = costs(plan, RETRIEVAL.entries)
    least = next(iter(found.values()))["mb"]
    head = ["row", "ms a step", "to the sum", "MB a step", "to the sum"]
    lines = [
        [
            name,
            f"{1000 * one['seconds']:.0f}",
            f"{one['ratio']:.2f}",
            f"{one['mb']:.0f}",
            f"{one['mb'] / least:.2f}",
        ]
        for name, one in found.items()
    ]
    return Beside(
        page=(
            "## What a step costs",
            "The time of the processor on one thread, in turns on the same batches, with MELTR's "
            "meta steps shared by the K steps between them; and the most memory that a cycle of K "
            "steps holds beside weights and moments.",
            grid(head, lines),
        ),
        fields={"costs": found},
    )


RETRIEVAL = retrieval("Weightings in retrieval", SAID, *_weighed(SUM, MELTR))
TABLE = table(
    "weightings",
    RETRIEVAL,
    captions(
        "Weightings in captions with speech",
        SAID,
        base="sum of all eight",
        primary="decoder alone",
        entries=[
            entry("sum of all eight", CAPTION_SUM),
            entry("decoder alone", CAPTION_PRIMARY),
            *_weighed(CAPTION_SUM, CAPTION_MELTR),
        ],
    ),
    more=_beside,
)
