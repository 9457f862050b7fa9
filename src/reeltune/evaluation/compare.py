"""Is one report better than another, or is the difference inside noise?"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import numpy as np
from jaxtyping import Int

from reeltune.errors import ConfigError
from reeltune.evaluation.bootstrap import (
    FIGURES,
    bounds,
    recalls_of,
    resampled_means,
    sums_by_group,
)
from reeltune.evaluation.left_out import BySplit, sentences
from reeltune.evaluation.retrieval import Report

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
    """Differences of R@1, R@5, R@10 and SumR, named "v2t SumR", or "t2v temporal R@1" by tag."""

    a: str  # model and seed
    b: str
    differences: dict[str, Difference]
    v2t: str | None = None  # by which video to text was ranked; None: reports of captions
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
        verdicts = {
            name: asdict(found) | {"inside_noise": found.inside_noise}
            for name, found in self.differences.items()
        }
        return asdict(self) | {"differences": verdicts}


def compare(a: Report, b: Report, seed: int = 0) -> Comparison:
    """Difference of `b` from `a`, by a paired bootstrap: the same videos are drawn for both.

    Raises ConfigError where the protocols differ in more than model, fingerprint and training seed.
    """
    _require_alike(a, b)
    video = np.array(a.ranks.video)  # (Q,)
    there = np.array((a.ranks.t2v, b.ranks.t2v))  # (2, Q)
    back = np.array((a.ranks.v2t, b.ranks.v2t))  # (2, V)
    found = _differences("t2v", there, video, seed)
    found |= _differences("v2t", back, np.arange(back.shape[1]), seed)
    for tag, rows in a.ranks.tagged.items():
        found |= _differences(f"t2v {tag}", there[:, rows], video[rows], seed)
    for name, rows in a.ranks.beside.items():
        if name in b.ranks.beside:
            groups = video if name.endswith("t2v") else np.arange(back.shape[1])
            found |= _differences(name, np.array((rows, b.ranks.beside[name])), groups, seed)
    certain = tuple(name for name in found if not a.tells(name))
    return Comparison(
        a=named(a.protocol.model, a.protocol.seed),
        b=named(b.protocol.model, b.protocol.seed),
        differences={name: one for name, one in found.items() if name not in certain},
        certain=certain,
        v2t=a.protocol.v2t,
        left_out={"a": a.protocol.left_out, "b": b.protocol.left_out},
        alone=alone(a.ranks.beside, b.ranks.beside),
    )


def alone(a: Iterable[str], b: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Names of figures that "a" has and the other has not, and those of "b"."""
    mine, others = dict.fromkeys(a), dict.fromkeys(b)
    return {
        "a": tuple(name for name in mine if name not in others),
        "b": tuple(name for name in others if name not in mine),
    }


def _differences(
    way: str, found: Int[np.ndarray, "2 Q"], video: Int[np.ndarray, " Q"], seed: int
) -> dict[str, Difference]:
    before, after = recalls_of(found[0]), recalls_of(found[1])  # (Q, 4)
    sums, sizes = sums_by_group(after - before, video)
    intervals = bounds(resampled_means(sums, sizes, np.random.default_rng(seed)))
    return {
        f"{way} {name}": Difference(
            a=float(before[:, i].mean()),
            b=float(after[:, i].mean()),
            low=intervals[i][0],
            high=intervals[i][1],
            changed=int(np.count_nonzero(sums[:, i])),
        )
        for i, name in enumerate(FIGURES)
    }


def _require_alike(a: Report, b: Report) -> None:
    unlike = a.protocol.unlike(b.protocol)
    if not unlike and a.ranks.tagged != b.ranks.tagged:
        unlike = {"tags": (_sizes(a), _sizes(b))}
    require_like(unlike)


def require_like(unlike: dict[str, tuple[object, object]]) -> None:
    """Raise ConfigError if there are fields in which two protocols differ."""
    if unlike:
        fields = "; ".join(f"{name}: {x!r} against {y!r}" for name, (x, y) in unlike.items())
        raise ConfigError(
            f"these reports follow unlike protocols and cannot be compared ({fields}); "
            f"evaluate both models under one protocol"
        )


def _sizes(report: Report) -> dict[str, int]:
    return {tag: len(rows) for tag, rows in report.ranks.tagged.items()}


def named(model: str, seed: int | None) -> str:
    """A model and the seed it was trained with, where it was."""
    return model if seed is None else f"{model} (seed {seed})"


def _sentence(name: str, found: Difference) -> str:
    change = f"{name}: {found.a:.1f} to {found.b:.1f}, {found.b - found.a:+.1f}"
    verdict = "inside noise" if found.inside_noise else "outside noise"
    return f"{change} [{found.low:+.1f}, {found.high:+.1f}], {verdict}"
