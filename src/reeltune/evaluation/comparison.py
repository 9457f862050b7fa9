"""The result of comparing two reports, figure by figure, and the ways to tell it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table
from rich.text import Text

from reeltune.evaluation.left_out import BySplit, sentences
from reeltune.evaluation.tables import shown, titled

FEWEST = 6  # 2 * 0.5**5 > 0.05: five changes in one direction are within chance, six are not


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One figure of both reports, and the 95 % interval of `b - a` over videos drawn anew."""

    a: float
    b: float
    low: float
    high: float
    changed: int  # videos whose own figure differs

    @property
    def inside_noise(self) -> bool:
        """Whether the interval contains 0, or fewer than six videos changed at all.

        A bootstrap of a handful of videos that happen to agree is far too sure of itself; by the
        sign test, fewer than six changes never reach 5 %.
        """
        return self.low <= 0 <= self.high or self.changed < FEWEST


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Differences by the names of figures, such as "v2t SumR", or "t2v temporal R@1" of a tag."""

    a: str  # model and seed
    b: str
    differences: dict[str, Difference]
    v2t: str | None = None  # by which video to text was ranked; None: nothing was ranked
    left_out: dict[str, BySplit] = field(default_factory=dict)  # of "a" and "b"
    alone: dict[str, tuple[str, ...]] = field(default_factory=dict)  # figures of "a" or "b" only
    certain: tuple[str, ...] = ()  # R@K with K candidates or fewer

    def sentences(self) -> list[str]:
        """One verdict a figure, then what the splits lack."""
        return [*(_sentence(n, found) for n, found in self.differences.items()), *self.lacks()]

    def lacks(self) -> list[str]:
        """What the splits lack, and which figures one report has alone."""
        lacks = [
            f"{way.upper()}: {s}" for way, left in self.left_out.items() for s in sentences(left)
        ]
        lacks += [
            f"not compared, since {way.upper()} alone has them: {', '.join(names)}"
            for way, names in self.alone.items()
            if names
        ]
        if self.certain:
            names = ", ".join(self.certain)
            lacks.append(f"not compared, since with so few candidates they are always 100: {names}")
        return lacks

    def as_dict(self) -> dict[str, object]:
        """The comparison as plain data, with the verdict on every figure."""
        verdicts = {
            name: asdict(found) | {"inside_noise": found.inside_noise}
            for name, found in self.differences.items()
        }
        return asdict(self) | {"differences": verdicts}

    def table(self) -> Table:
        """One row a figure: both values, the difference with its 95 % interval, the verdict."""
        title = f"{self.a} against {self.b}"
        if self.v2t is not None:
            title += f", v2t by {self.v2t}"
        table = titled(title)
        for name in ("", "A", "B", "B - A", "95 %"):
            table.add_column(name, justify="right" if name else "left", no_wrap=True)
        table.add_column("")
        for name, one in self.differences.items():
            bounds = f"{shown(name, one.low, '+')} to {shown(name, one.high, '+')}"
            verdict = (
                Text("inside noise", "dim") if one.inside_noise else Text("outside noise", "bold")
            )
            both = shown(name, one.a), shown(name, one.b), shown(name, one.b - one.a, "+")
            row = *both, bounds, verdict
            table.add_row(name, *row)
        return table


def alone(a: Iterable[str], b: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Names of figures that "a" has and the other has not, and those of "b"."""
    mine, others = dict.fromkeys(a), dict.fromkeys(b)
    return {
        "a": tuple(name for name in mine if name not in others),
        "b": tuple(name for name in others if name not in mine),
    }


def between(
    a: Any,
    b: Any,
    differences: dict[str, Difference],
    *,
    alone: dict[str, tuple[str, ...]],
    certain: tuple[str, ...] = (),
    v2t: str | None = None,
) -> Comparison:
    """The comparison of the reports with these two cards."""
    return Comparison(
        a=_called(a),
        b=_called(b),
        differences=differences,
        v2t=v2t,
        left_out={"a": a.left_out, "b": b.left_out},
        alone=alone,
        certain=certain,
    )


def _called(card: Any) -> str:
    """A model and the seed it was trained with, where it was."""
    return card.model if card.seed is None else f"{card.model} (seed {card.seed})"


def _sentence(name: str, found: Difference) -> str:
    change = f"{name}: {shown(name, found.a)} to {shown(name, found.b)}, "
    change += shown(name, found.b - found.a, "+")
    low, high = shown(name, found.low, "+"), shown(name, found.high, "+")
    verdict = "inside noise" if found.inside_noise else "outside noise"
    return f"{change} [{low}, {high}], {verdict}"
