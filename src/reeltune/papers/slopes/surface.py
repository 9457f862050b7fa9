"""What MELTR makes of two losses together, beside their sum (Figure 7 of the paper)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from reeltune.errors import ConfigError
from reeltune.meltr import combiner
from reeltune.papers.slopes.evaluated import evaluated

SIDE = 25  # points along each loss


@dataclass(frozen=True, kw_only=True)
class Surface:
    """The melted loss and the sum over a grid of two losses, the others at their mean of the last
    epoch."""

    across: str  # the loss of the columns
    up: str  # the loss of the rows
    x: list[float]  # from 0 to the largest that the run has seen
    y: list[float]
    melted: list[list[float]]
    summed: list[list[float]]


def surface(
    melts: combiner.Learned,
    seen: Float[np.ndarray, "N T"],
    last: Float[np.ndarray, "M T"],
    over: Sequence[str],
) -> Surface:
    """The surface over the two losses `over`; `seen` are the losses of the run, `last` those of its
    last epoch."""
    first, second = (melts.tasks.index(task) for task in over)
    x, y = (np.linspace(0, seen[:, place].max(), SIDE) for place in (first, second))
    points = np.tile(last.mean(axis=0), (SIDE, SIDE, 1))
    points[:, :, first], points[:, :, second] = np.meshgrid(x, y)
    melted, _ = evaluated(melts, points.reshape(-1, len(melts.tasks)))
    return Surface(
        across=over[0],
        up=over[1],
        x=x.tolist(),
        y=y.tolist(),
        melted=melted.reshape(SIDE, SIDE).tolist(),
        summed=points.sum(axis=2).tolist(),
    )


def two_of(
    tasks: Sequence[str], primary: str, strongest: Sequence[str], asked: Sequence[str]
) -> tuple[str, str]:
    """The losses that were `asked` for; by default the primary one, and of the others that which
    was trained most `strongest` in the end.

    Errors: `ConfigError` for other than two different losses of the run.
    """
    if not asked:
        return primary, next(task for task in strongest if task != primary)
    if len(asked) != 2 or len({*asked} & {*tasks}) != 2:
        raise ConfigError(
            f"--over was given {', '.join(asked)}, and a surface is over two losses of the run; "
            f"give it twice, with two of {', '.join(tasks)}"
        )
    return asked[0], asked[1]
