"""Remarks that must stand beside figures: which of them tell nothing, and what they lack."""

from collections.abc import Sequence
from dataclasses import dataclass

from reeltune.evaluation.left_out import sentences
from reeltune.evaluation.report import AnyReport
from reeltune.evaluation.trivial import trivial, trivial_said


@dataclass(frozen=True)
class Remarks:
    """Remarks on one report, or on several of one split."""

    trivial: list[str]  # names of figures that are not shown
    said: list[str]  # sentences
    incomplete: bool  # whether the split that was measured lacks something


def remarks_of(reports: Sequence[AnyReport]) -> Remarks:
    """Each sentence once, in the order of the reports."""
    known: dict[str, None] = {}
    said: dict[str, None] = {}
    for report in reports:
        known |= dict.fromkeys(trivial(report))
        said |= dict.fromkeys(trivial_said(report))
        said |= dict.fromkeys(report.remarks())
        said |= dict.fromkeys(sentences(report.protocol.left_out))
    return Remarks([*known], [*said], any(r.protocol.incomplete for r in reports))


def all_said(remarks: Sequence[Remarks]) -> list[str]:
    """The sentences of several, each once."""
    return [*dict.fromkeys(sentence for one in remarks for sentence in one.said)]
