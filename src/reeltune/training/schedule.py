"""Decides what the figure of an epoch does to the learning rate, the weights and the run.

Cosine and linear decay look at no figure, nor do steps, which cut the rate to a tenth after 2/3 and
after 5/6 of the training (80 and 100 of 120 epochs in Meta-Weight-Net, 1902.07379). Three rules of
Dual Encoding do; all cut the rate by 1 % and halve it where validation does not improve:

halve     the released code of 2021: 1 % every epoch; halved in an epoch that is not the best so
          far, if three have passed since the last time
patient   Dual Encoding++ without reloading: 1 % in epochs that improve, halved after every third
          in a row that does not; an equal figure counts as better, as in the released code (the
          slides count it among those that do not increase)
reload    Dual Encoding++: as patient, and the best weights come back whenever it is halved (the
          optimizer keeps its moments)
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Rule = Literal["cosine", "linear", "steps", "halve", "patient", "reload"]
FOLLOWS: tuple[Rule, ...] = ("halve", "patient", "reload")  # the figures of validation
DROP, HALF, WAIT = 0.99, 0.5, 3
CUTS, CUT = (2 / 3, 5 / 6), 0.1  # shares of the training after which steps cut, and to what


class Score(NamedTuple):
    """How good an epoch was."""

    figure: float = float("-inf")  # of validation
    finer: float = float("-inf")  # a figure that tells apart epochs of equal ones, if there is one


@dataclass
class Trend:
    """The memory of a rule."""

    factor: float = 1.0  # of the learning rate
    bad: int = 0  # epochs in a row that did not improve
    since: int = 0  # epochs since the rate was last halved


def is_better(rule: Rule, score: Score, best: Score) -> bool:
    """Whether an epoch is the best so far.

    The released rules look at the figure alone; the others let the finer one decide between equals.
    """
    if rule in ("patient", "reload"):
        return score.figure >= best.figure
    return score.figure > best.figure if rule == "halve" else score > best


def kept_of_equals(rule: Rule, finer: str | None) -> str:
    """Which epoch `is_better` leaves of several with equal figures, in words; `finer` is the name
    of the figure that tells them apart."""
    if rule in ("patient", "reload"):
        return "the last"
    if rule == "halve" or finer is None:
        return "the first"
    return f"the first of the highest {finer}"


def after_epoch(rule: Rule, trend: Trend, improved: bool) -> bool:
    """Bring `trend` up to date; returns whether the best weights should come back."""
    trend.bad = 0 if improved else trend.bad + 1
    trend.since += 1
    if rule not in FOLLOWS:
        return False
    if rule == "halve":
        trend.factor *= DROP
        halves = not improved and trend.since >= WAIT
    else:
        trend.factor *= DROP if improved else 1.0
        halves = not improved and trend.bad % WAIT == 0
    if halves:
        trend.factor *= HALF
        trend.since = 0
    return halves and rule == "reload"
