"""Captions that a model writes for the clips of a split, and how good they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import ConfigDict
from torch import Tensor

from reeltune.batches.loader import ClipReader
from reeltune.errors import DataError
from reeltune.evaluation.bleu import ORDERS, bleu_of
from reeltune.evaluation.bootstrap import bounds, resampled_means
from reeltune.evaluation.captions import CaptionReport, caption_report
from reeltune.evaluation.java import why_not
from reeltune.evaluation.left_out import BySplit
from reeltune.evaluation.protocols import CaptionCard, also_without, split_hash
from reeltune.evaluation.report_file import checked, write_fields
from reeltune.tasks.retrieval import Named, clip_batches, gallery_of
from reeltune.types import Pair, Split, Tokens

CLIPS_AT_ONCE = 32
BEAMS = 5
PTB = " ptb"  # behind the names of figures under that way to split words
Spoken = Callable[[Pair], str]  # what is said in a clip


@runtime_checkable
class Writer(Protocol):
    """A model that writes captions, and is judged by them where `writes` is true."""

    name: str
    fingerprint: str
    writes: bool
    hears: bool  # whether it reads what is said in a clip
    longest: int  # words of a caption

    def tokenize(self, texts: Sequence[str]) -> Tokens: ...

    def caption(
        self, frames: Tensor, mask: Tensor, transcript: Tokens | None = None, *, beams: int = BEAMS
    ) -> list[str]: ...


@dataclass(frozen=True, kw_only=True)
class CaptioningReport:
    """Figures of captions with the protocol they were obtained under, and the captions.

    `scores` are times 100; those that end in " ptb" are of the Penn Treebank's words, there only
    where Java is, the others of BERT's. `intervals`: 95 %, by bootstrap over clips, the rarity of
    n-grams in CIDEr-D left as it is. `segments`: each clip's share in all but BLEU; `counts`: what
    it adds to BLEU, by way to split words.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    protocol: CaptionCard
    captions: dict[str, str]
    segments: dict[str, dict[str, float]]
    counts: dict[str, dict[str, list[int]]]

    def also_without(self, left_out: BySplit) -> "CaptioningReport":
        """The same; its card also says what the splits lacked that the model was trained on."""
        return replace(self, protocol=also_without(self.protocol, left_out))

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def figures(self) -> dict[str, object]:
        """The same without what there is of every clip, which fills screens."""
        whole = ("scores", "intervals", "protocol")
        return {name: value for name, value in self.as_dict().items() if name in whole}

    @classmethod
    def from_dict(cls, fields: object) -> "CaptioningReport":
        """The report that `as_dict` gave, also after JSON; DataError names the first bad field."""
        return checked(cls, fields, "report of captions")

    def write(self, path: Path) -> None:
        """JSON with one field a line."""
        write_fields(path, self.as_dict())


@torch.inference_mode()
def write_captions(
    model: Writer, reader: ClipReader, clips: Sequence[Pair], spoken: Spoken | None = None
) -> list[str]:
    """A caption of each clip; a model that hears reads what `spoken` gives."""
    found: list[str] = []
    batches = clip_batches(reader, clips, CLIPS_AT_ONCE)
    for start, (frames, mask) in zip(count(step=CLIPS_AT_ONCE), batches, strict=False):
        some = clips[start : start + CLIPS_AT_ONCE]
        said = model.tokenize([spoken(clip) for clip in some]) if spoken else None
        found += model.caption(frames, mask, said, beams=BEAMS)
    return found


def evaluate_captions(
    model: Writer,
    reader: ClipReader,
    split: Split,
    named: Named,
    spoken: Spoken | None = None,
    quick: bool = False,
) -> CaptioningReport:
    """Figures of a model's captions on a split, against all references of each clip.

    `quick` leaves out what needs Java, for validation.
    """
    if model.hears and spoken is None:
        raise DataError(
            f"{model.name} reads what is said in a clip, and dataset {named.dataset} does not say; "
            "evaluate it on one with transcripts, or train with config.reads=nothing"
        )
    gallery, clips = gallery_of(split.pairs)
    spoken = spoken if model.hears else None
    found = dict(zip(gallery, write_captions(model, reader, clips, spoken), strict=True))
    references: dict[str, list[str]] = {video: [] for video in gallery}
    for pair in split.pairs:
        references[pair.video].append(pair.caption)
    reports = {"": caption_report(found, references, "bert", with_meteor=False if quick else None)}
    if not quick and why_not() is None:
        reports[PTB] = caption_report(found, references, "ptb", with_meteor=False)
    card = CaptionCard(
        dataset=named.dataset,
        split=named.split,
        split_hash=split_hash(split.pairs, gallery),
        asked_hash=named.asked_hash,
        differs=named.differs,
        frames=reader.policy,
        reads="V+T" if model.hears else "V",
        beams=BEAMS,
        longest=model.longest,
        clips=len(gallery),
        references=reports[""].references,
        words=tuple(report.tokens for report in reports.values()),
        model=model.name,
        fingerprint=model.fingerprint,
        seed=named.seed,
        left_out={named.split: split.left_out} if split.left_out else {},
    )
    return captioning_report(reports, found, card)


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
        names = [f"BLEU-{order}{suffix}" for order in range(1, ORDERS + 1)]
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
    return 100 * np.array([bleu_of(mean) for mean in means])
