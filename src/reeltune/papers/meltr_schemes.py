"""Table 8 of MELTR: schemes of bilevel optimisation, and what each costs."""

from dataclasses import asdict

from reeltune.papers._meltr import MELTR, entry, recall, retrieval, table
from reeltune.papers._meltr_costs import Cost, stored_costs
from reeltune.papers.table.contract import Beside, Said
from reeltune.papers.table.markdown import grid
from reeltune.papers.table.plan import Plan, recipe_of
from reeltune.runs.place import RunPlace

RARELY = 25  # training steps for one meta step: about what the paper's seconds amount to
SUMS_SECONDS = 547.0  # of an epoch on the plain sum, by the paper
SCHEMES = {  # the paper's R@1 and seconds of an epoch
    "meta-weight-net": (27.3, 1296.0),
    "stocbio": (26.8, 686.0),
    "conjugate-gradient": (28.0, 624.0),
    "neumann": (27.9, 638.0),
    "aid-fp-lite": (28.5, 574.0),
}
SECTION = retrieval(
    "Optimisation schemes (Table 8)",
    "Every scheme takes a meta step as often as the recipe says. They are compared without the "
    "regulariser, whose direct term weighs more the smaller a scheme's own hypergradient is: that "
    "of StocBiO and Meta-Weight-Net has the factor of their rate. Seconds are of the runs' logs; "
    "runs of one table share the machine, so what a scheme costs is in the table below.",
    *[
        entry(name, MELTR, {"meltr.scheme": name, "meltr.step.gamma": 0.0}, recall(*figures))
        for name, figures in SCHEMES.items()
    ],
    entry("aid-fp-lite, regularised", MELTR),
)


def _costs(plan: Plan, said: Said) -> Beside:
    """The costs of the schemes, measured in turns."""
    said("measuring what the schemes cost, in turns")
    place = RunPlace(out=plan.out, data=plan.data)
    found = stored_costs(recipe_of(plan, MELTR), list(SCHEMES), place)
    every = next(iter(found.values())).every
    head = ["scheme", "a meta step, in training steps", "epoch at this K"]
    head += [f"at one in {RARELY}", "paper, epoch"]
    return Beside(
        page=(
            "## What a scheme costs",
            f"Beside training on the plain sum, in turns on the same batches, K = {every}. The "
            "paper's column is by its seconds an epoch on msrvtt-7k.",
            grid(head, [_cells(name, cost) for name, cost in found.items()]),
        ),
        fields={"costs": {name: asdict(cost) for name, cost in found.items()}},
    )


def _cells(name: str, cost: Cost) -> list[str]:
    return [
        name,
        f"{cost.meta_step:.2f}",
        f"{cost.overhead():+.1f} %",
        f"{cost.overhead(RARELY):+.1f} %",
        f"{100 * (SCHEMES[name][1] / SUMS_SECONDS - 1):+.1f} %",
    ]


TABLE = table("schemes", SECTION, more=_costs)
