"""The report of retrieval: its figures, its ranks, and all that is made of them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int
from pydantic import ConfigDict
from rich.table import Table
from rich.text import Text

from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.bootstrap import (
    FIGURES,
    bounds,
    recalls_of,
    resampled_means,
    sums_by_group,
)
from reeltune.evaluation.comparison import Comparison, Difference, alone, between
from reeltune.evaluation.left_out import BySplit
from reeltune.evaluation.protocols import ProtocolCard, also_without
from reeltune.evaluation.report_file import checked, read_fields, write_fields
from reeltune.evaluation.tables import titled
from reeltune.evaluation.trivial import shown, trivial, trivial_said

COLUMNS = ("R@1", "R@5", "R@10", "SumR", "MdR", "MnR", "mAP")
WAYS = ("t2v", "v2t")


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Rank of every query, from 1, so that two reports can be compared query by query.

    Videos are numbered as the pairs first name them, whatever the order of the gallery.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    t2v: list[int]  # (Q,) of each pair's caption
    video: list[int]  # (Q,) number of each pair's video
    v2t: list[int]  # of video 0, 1, ...
    tagged: dict[str, list[int]]  # tag -> pairs that carry it
    # Those that figures beside are read from: "dsl 0.01 t2v" (Q,), "dsl 0.01 v2t" as `v2t`.
    beside: dict[str, list[int]] = field(default_factory=dict)

    def of(self, way: str) -> tuple[Int[np.ndarray, " Q"], Int[np.ndarray, " Q"]]:
        """Ranks of the queries of "t2v", "v2t" or figures beside, and which video each is of."""
        found = getattr(self, way) if way in WAYS else self.beside[way]
        own = np.array(self.video) if way.endswith("t2v") else np.arange(len(self.v2t))
        return np.array(found), own


@dataclass(frozen=True, kw_only=True)
class Report:
    """Retrieval figures with the protocol they were obtained under.

    `t2v`, `v2t`: R@1, R@5, R@10, their SumR, and mAP in percent, higher is better; median (MdR) and
    mean rank (MnR), lower is better. `intervals`: of "t2v R@1" and so on, 95 %, by bootstrap over
    videos. `subsets`: for each tag the t2v figures of its queries in the whole gallery, with
    "R@1 low", "R@1 high" and the number of "queries". `beside`: figures by other scores,
    "similarity t2v" and "similarity v2t" of a model that is judged by pairs, and "dsl 0.01 t2v" and
    so on after a post-processing. `margin`: by how
    much the score of a right answer leads that of the best wrong one, a mean over both directions.
    `near_ties`: what rounding decides, if anything: the share of text "queries" whose rank would be
    worse if scores that are nearly that of the right answer tied with it, and "t2v R@1" then.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")
    what: ClassVar[str] = "retrieval"
    finds: ClassVar[bool] = True

    t2v: dict[str, float]
    v2t: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    subsets: dict[str, dict[str, float]]
    protocol: ProtocolCard
    ranks: Ranks
    beside: dict[str, dict[str, float]] = field(default_factory=dict)
    margin: float | None = None
    near_ties: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        queries, videos = len(self.ranks.t2v), len(self.ranks.v2t)
        complete = queries == len(self.ranks.video) == self.protocol.queries
        wanted = {"t2v": queries, "v2t": videos}
        beside = self.ranks.beside.items()
        complete &= all(len(found) == wanted.get(name[-3:]) for name, found in beside)
        complete &= all(
            0 <= pair < queries for tagged in self.ranks.tagged.values() for pair in tagged
        )
        if not complete or len(set(self.ranks.video)) != videos:
            raise DataError(
                f"ranks of {queries} queries and {videos} videos do not fit the "
                f"{self.protocol.queries} queries of the protocol; evaluate again"
            )
        both = ((way, name) for way in WAYS for name in COLUMNS)
        lacking = [f"{way} {name}" for way, name in both if name not in getattr(self, way)]
        if lacking:
            raise DataError(f"a report lacks {', '.join(lacking)}; evaluate again")

    @property
    def videos(self) -> int:
        """The number of videos with a caption (N), each of which is a query of video to text."""
        return len(self.ranks.v2t)

    def values(self) -> dict[str, float]:
        """SumR of both directions, the figures of each, and the margin where there is one."""
        both = ((way, getattr(self, way)) for way in WAYS)
        figures = {f"{way} {name}": value for way, found in both for name, value in found.items()}
        margin = {} if self.margin is None else {"margin": self.margin}
        return {"SumR": self.t2v["SumR"] + self.v2t["SumR"], **figures, **margin}

    def tells(self, figure: str) -> bool:
        """Whether a figure says anything: "v2t R@5" is 100 for any model where no more than 5
        candidates are ranked. R@1 is always given."""
        name, _, depth = figure.partition("R@")
        if depth in ("", "1"):
            return True
        candidates = self.protocol.gallery
        if "v2t" in name:
            own = np.bincount(self.ranks.video)  # captions of each video, which do not compete
            of_captions = self.protocol.v2t == "any"
            candidates = 1 + int(own.sum() - own.min()) if of_captions else len(own)
        return int(depth) < candidates

    def drawn(self, times: Int[np.ndarray, "R N"]) -> dict[str, Float[np.ndarray, " R"]]:
        """R@K and SumR of both directions, and the sum of both, of draws of whole videos."""
        found: dict[str, Float[np.ndarray, " R"]] = {}
        for way in WAYS:
            ranks, video = self.ranks.of(way)
            sums, sizes = sums_by_group(recalls_of(ranks), video)
            means = times @ sums / (times @ sizes)[:, None]  # (R, 4)
            found |= {f"{way} {name}": means[:, i] for i, name in enumerate(FIGURES)}
        return {**found, "SumR": found["t2v SumR"] + found["v2t SumR"]}

    def markdown(self) -> list[str]:
        """One row a direction, and the interval of R@1."""
        rule, known = self.protocol.v2t, trivial(self)
        ways = [("t2v", "text to video", self.t2v), ("v2t", f"video to text ({rule})", self.v2t)]
        for name, found in self.beside.items():
            way = name.split()[-1]
            ways.append((way, f"{name} ({rule})" if way == "v2t" else name, found))
        rows = [
            f"| {name} | "
            + " | ".join(shown(found, one, known, way) for one in ("R@1", "R@5", "R@10", "MdR"))
            for way, name, found in ways
        ]
        low, high = self.intervals["t2v R@1"]
        return [
            "| direction | R@1 | R@5 | R@10 | MdR |",
            "|---|---|---|---|---|",
            *[f"{row} |" for row in rows],
            "",
            f"95 % interval of text-to-video R@1, over videos: {low:.1f} to {high:.1f}.",
            *[
                f"{sentence[0].upper()}{sentence[1:]}."
                for sentence in (*trivial_said(self), *self.remarks())
            ],
        ]

    def remarks(self) -> list[str]:
        """A sentence on ranks that rounding decides, where there are some."""
        if not self.near_ties:
            return []
        share, recall = self.near_ties["queries"], self.near_ties["t2v R@1"]
        return [
            f"rounding decides the rank of {share:.1f} % of captions: if nearly equal scores were "
            f"ties, t2v R@1 would be {recall:.1f}, not {self.t2v['R@1']:.1f}"
        ]

    def table(self) -> Table:
        """One row a direction, then one a tagged subset, R@1 with its 95 % interval."""
        card = self.protocol
        title = f"{card.model} on {card.dataset} {card.split}: {card.queries} x {card.gallery}"
        if card.postprocessing != "none":
            title += f", after {card.postprocessing}"
        table = titled(title)
        table.add_column("")
        for name in COLUMNS:
            table.add_column(name, justify="right", no_wrap=True)
        for way, figures in (("t2v", self.t2v), ("v2t", self.v2t)):
            label = f"v2t ({card.v2t})" if way == "v2t" else way
            table.add_row(label, *self._cells(way, figures, self.intervals[f"{way} R@1"]))
        for name, figures in self.beside.items():
            label = f"{name} ({card.v2t})" if name.endswith("v2t") else name
            table.add_row(label, *self._cells(name, figures))
        for tag, figures in self.subsets.items():
            label = f"t2v {tag} ({figures['queries']:.0f})"
            low_high = figures["R@1 low"], figures["R@1 high"]
            table.add_row(label, *self._cells("t2v", figures, low_high))
        return table

    def _cells(
        self, way: str, figures: dict[str, float], low_high: tuple[float, float] | None = None
    ) -> list[Text]:
        """Figures in the order of the columns; a dash where so few candidates make it 100."""
        found = [
            Text(f"{figures[name]:.1f}" if self.tells(f"{way} {name}") else "-") for name in COLUMNS
        ]
        if low_high is not None:
            found[0].append(f" ({low_high[0]:.1f}-{low_high[1]:.1f})", "dim")
        return found

    def unlike(self, other: "Report") -> dict[str, tuple[object, object]]:
        """Fields of the cards that differ; else the sizes of the subsets, if these do."""
        found = self.protocol.unlike(other.protocol)
        if not found and self.ranks.tagged != other.ranks.tagged:
            return {"tags": (_sizes(self), _sizes(other))}
        return found

    def against(self, other: "Report", seed: int = 0) -> Comparison:
        """Differences of R@1, R@5, R@10 and SumR, by direction and by tag."""
        found: dict[str, Difference] = {}
        for name, ranks, video in self._beside(other):
            found |= _differences(name, ranks, video, seed)
        certain = tuple(name for name in found if not self.tells(name))
        return between(
            self.protocol,
            other.protocol,
            {name: one for name, one in found.items() if name not in certain},
            alone=alone(self.ranks.beside, other.ranks.beside),
            certain=certain,
            v2t=self.protocol.v2t,
        )

    def _beside(
        self, other: "Report"
    ) -> Iterator[tuple[str, Int[np.ndarray, "2 Q"], Int[np.ndarray, " Q"]]]:
        """The things that both reports rank, each with its name, both ranks and the video of
        each query."""
        shared = [name for name in self.ranks.beside if name in other.ranks.beside]
        both = {
            way: np.array((self.ranks.of(way)[0], other.ranks.of(way)[0]))
            for way in (*WAYS, *shared)
        }
        tagged = {f"t2v {tag}": rows for tag, rows in self.ranks.tagged.items()}
        yield from ((way, both[way], self.ranks.of(way)[1]) for way in WAYS)
        for name, rows in tagged.items():
            yield name, both["t2v"][:, rows], np.array(self.ranks.video)[rows]
        yield from ((name, both[name], self.ranks.of(name)[1]) for name in shared)

    def also_without(self, left_out: BySplit) -> "Report":
        """The report with a card that also says what the training splits of the model lacked."""
        return replace(self, protocol=also_without(self.protocol, left_out))

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def figures(self) -> dict[str, object]:
        """The report as plain data, without the rank of every query, which would fill screens."""
        return {name: value for name, value in self.as_dict().items() if name != "ranks"}

    @classmethod
    def from_dict(cls, fields: object) -> "Report":
        """The report that `as_dict` gave, also after JSON; DataError names the first bad field."""
        return checked(cls, fields, "retrieval report")

    def write(self, path: Path) -> None:
        """JSON with one field a line."""
        write_fields(path, self.as_dict())

    @classmethod
    def read(cls, path: Path) -> "Report":
        """Raises DataError, with the path, for a file that is absent or is not a report."""
        fields = read_fields(path)
        try:
            return cls.from_dict(fields)
        except (DataError, ConfigError) as error:
            raise DataError(f"{path}: {error}") from error


def _sizes(report: Report) -> dict[str, int]:
    return {tag: len(rows) for tag, rows in report.ranks.tagged.items()}


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
