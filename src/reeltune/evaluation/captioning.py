"""The report of captions: their figures with intervals, and all that is made of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import ConfigDict
from rich.table import Table

from reeltune.errors import counted
from reeltune.evaluation.bleu import ORDERS, bleus_of
from reeltune.evaluation.bootstrap import bounds, resampled_means
from reeltune.evaluation.captions import CaptionReport
from reeltune.evaluation.comparison import Comparison, Difference, alone, between
from reeltune.evaluation.left_out import BySplit
from reeltune.evaluation.protocols import CaptionCard, also_without
from reeltune.evaluation.report_file import checked, write_fields
from reeltune.evaluation.tables import figures_markdown, figures_table

PTB = " ptb"  # behind the names of figures under that way to split words
SUFFIX = {"bert": "", "ptb": PTB}  # of figures, by the way to split words
BLEUS = tuple(f"BLEU-{order}" for order in range(1, ORDERS + 1))
MEANS = ("ROUGE-L", "CIDEr-D")  # of a split they are the means over its clips, unlike METEOR


@dataclass(frozen=True, kw_only=True)
class CaptioningReport:
    """Figures of captions with the protocol they were obtained under, and the captions.

    `scores` are times 100; those that end in " ptb" are of the Penn Treebank's words, there only
    where Java is, the others of BERT's. `intervals`: 95 %, by bootstrap over clips, the rarity of
    n-grams in CIDEr-D left as it is. `segments`: each clip's share in all but BLEU; `counts`: what
    it adds to BLEU, by way to split words.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")
    what: ClassVar[str] = "captions"
    finds: ClassVar[bool] = False

    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    protocol: CaptionCard
    captions: dict[str, str]
    segments: dict[str, dict[str, float]]
    counts: dict[str, dict[str, list[int]]]

    @property
    def videos(self) -> int:
        """The number of clips (N) that have a caption."""
        return len(self.captions)

    def values(self) -> dict[str, float]:
        """All scores."""
        return self.scores

    def tells(self, figure: str) -> bool:
        """Always: no score is the same for every model."""
        return True

    def remarks(self) -> list[str]:
        """None: no figure hangs on rounding."""
        return []

    def drawn(self, times: Int[np.ndarray, "R N"]) -> dict[str, Float[np.ndarray, " R"]]:
        """BLEU, ROUGE-L and CIDEr-D of draws of clips, under BERT's words.

        METEOR of a corpus is not the mean of its clips, so it is not drawn.
        """
        shares = times / times.sum(axis=1, keepdims=True)
        found = {name: shares @ np.array(list(self.segments[name].values())) for name in MEANS}
        counts = np.array(list(self.counts["bert"].values()))  # (N, C)
        bleus = 100 * bleus_of(shares @ counts)  # (R, 4)
        return found | {name: bleus[:, i] for i, name in enumerate(BLEUS)}

    def markdown(self) -> list[str]:
        """The figures under BERT's words, and the interval of CIDEr-D."""
        names = [name for name in self.scores if not name.endswith(PTB)]
        low, high = self.intervals["CIDEr-D"]
        said = f"95 % interval of CIDEr-D, over clips: {low:.1f} to {high:.1f}."
        return figures_markdown({name: self.scores[name] for name in names}, said)

    def table(self) -> Table:
        """One row a figure, with its 95 % interval."""
        card = self.protocol
        most = card.references[1]
        title = f"{card.model} on {card.dataset} {card.split}: {counted(card.clips, 'clip')}"
        return figures_table(f"{title}, {counted(most, 'reference')}", self.scores, self.intervals)

    def unlike(self, other: "CaptioningReport") -> dict[str, tuple[object, object]]:
        """Fields of the cards that differ."""
        return self.protocol.unlike(other.protocol)

    def against(self, other: "CaptioningReport", seed: int = 0) -> Comparison:
        """Differences of all figures that both have; one has METEOR alone where Java is not."""
        found = self._bleu_differences(other, seed)
        for name in (name for name in self.segments if name in other.segments):
            mine, theirs = (
                np.array([report.segments[name][clip] for clip in self.captions])
                for report in (self, other)
            )
            interval = bounds(resampled_mean(theirs - mine, seed))[0]
            found[name] = self._difference(other, name, interval, theirs != mine)
        ordered = {name: found[name] for name in self.scores if name in found}
        names = alone(self.scores, other.scores)
        return between(self.protocol, other.protocol, ordered, alone=names)

    def _bleu_differences(self, other: "CaptioningReport", seed: int) -> dict[str, Difference]:
        found = {}
        for words in (words for words in self.counts if words in other.counts):
            mine, theirs = (
                np.array([report.counts[words][clip] for clip in self.captions])
                for report in (self, other)
            )
            drawn = resampled_bleu(theirs, seed) - resampled_bleu(mine, seed)
            changed = (mine != theirs).any(axis=1)
            for bleu, interval in zip(BLEUS, bounds(drawn), strict=True):
                name = f"{bleu}{SUFFIX[words]}"
                found[name] = self._difference(other, name, interval, changed)
        return found

    def _difference(
        self,
        other: "CaptioningReport",
        name: str,
        interval: tuple[float, float],
        changed: Bool[np.ndarray, " N"],
    ) -> Difference:
        return Difference(
            a=self.scores[name],
            b=other.scores[name],
            low=interval[0],
            high=interval[1],
            changed=int(np.count_nonzero(changed)),
        )

    def also_without(self, left_out: BySplit) -> "CaptioningReport":
        """The report with a card that also says what the training splits of the model lacked."""
        return replace(self, protocol=also_without(self.protocol, left_out))

    def as_dict(self) -> dict[str, object]:
        """The report as plain data."""
        return asdict(self)

    def figures(self) -> dict[str, object]:
        """The report as plain data, without its entries for clips, which would fill
        screens."""
        whole = ("scores", "intervals", "protocol")
        return {name: value for name, value in self.as_dict().items() if name in whole}

    @classmethod
    def from_dict(cls, fields: object) -> "CaptioningReport":
        """The report that `as_dict` gave, also after JSON; DataError names the first bad field."""
        return checked(cls, fields, "report of captions")

    def write(self, path: Path) -> None:
        """JSON with one field a line."""
        write_fields(path, self.as_dict())


def captioning_report(
    reports: Mapping[str, CaptionReport], found: dict[str, str], card: CaptionCard
) -> CaptioningReport:
    """Reports by the suffix of their figures as one, with intervals."""
    each = {f"{k}{suffix}": v for suffix, r in reports.items() for k, v in r.segments.items()}
    counts: dict[str, dict[str, list[int]]] = {r.tokens: r.counts for r in reports.values()}
    scores = {f"{k}{suffix}": v for suffix, r in reports.items() for k, v in r.figures.items()}
    intervals = {
        name: bounds(resampled_mean(np.array(list(values.values()))))[0]
        for name, values in each.items()
    }
    for suffix, report in reports.items():
        drawn = resampled_bleu(np.array(list(report.counts.values())))
        names = [f"{bleu}{suffix}" for bleu in BLEUS]
        intervals |= dict(zip(names, bounds(drawn), strict=True))
    return CaptioningReport(
        scores=scores,
        intervals={name: intervals[name] for name in scores},
        protocol=card,
        captions=found,
        segments=each,
        counts=counts,
    )


def resampled_mean(values: Float[np.ndarray, " N"], seed: int = 0) -> Float[np.ndarray, "R 1"]:
    """The mean over clips, of each draw of clips."""
    ones = np.ones(len(values), int)
    return resampled_means(values[:, None], ones, np.random.default_rng(seed))


def resampled_bleu(counts: Int[np.ndarray, "N C"], seed: int = 0) -> Float[np.ndarray, "R 4"]:
    """BLEU-1 to BLEU-4, times 100, of each draw of clips."""
    ones = np.ones(len(counts), int)
    means = resampled_means(counts.astype(float), ones, np.random.default_rng(seed))
    return 100 * bleus_of(means)
