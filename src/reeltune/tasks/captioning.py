"""Captions that a model writes for the clips of a split, and how good they are."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from reeltune.batches.in_order import clip_batches, gallery_of
from reeltune.batches.loader import ClipReader, Text
from reeltune.errors import DataError
from reeltune.evaluation.beside import Asked
from reeltune.evaluation.captioning import (
    BLEUS,
    PTB,
    CaptioningReport,
    captioning_report,
)
from reeltune.evaluation.captions import caption_report
from reeltune.evaluation.java import why_not
from reeltune.evaluation.protocols import CaptionCard, Named, split_hash
from reeltune.registry import find
from reeltune.tasks.finding.task import Task
from reeltune.types import Pair, Split, Tokens

CLIPS_AT_ONCE = 32
BEAMS = 5
SPOKEN = "transcript"  # by this name datasets say what is said
Spoken = Callable[[Pair], str]  # what is said in a clip


@runtime_checkable
class Writer(Protocol):
    """A model that writes captions."""

    name: str
    fingerprint: str
    texts: tuple[str, ...]  # has "transcript" where it reads what is said in a clip
    longest: int  # words of a caption

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Tokens of B texts."""
        ...

    def caption(
        self, frames: Tensor, mask: Tensor, transcript: Tokens | None = None, *, beams: int = BEAMS
    ) -> list[str]:
        """A caption for each of B clips, found by beam search."""
        ...


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
    hears = SPOKEN in model.texts
    if hears and spoken is None:
        raise DataError(
            f"{model.name} reads what is said in a clip, and dataset {named.dataset} does not say; "
            "evaluate it on one with transcripts, or train with config.reads=nothing"
        )
    gallery, clips = gallery_of(split.pairs)
    spoken = spoken if hears else None
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
        reads="V+T" if hears else "V",
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


def judge(
    model: Writer,
    reader: ClipReader,
    split: Split,
    named: Named,
    *,
    texts: Mapping[str, Text],
    quick: bool,
    asked: Asked,
) -> CaptioningReport:
    """Judge as `evaluate_captions` does; this task has no scores, and is never asked for any."""
    return evaluate_captions(model, reader, split, named, texts.get(SPOKEN), quick)


def higher(videos: int) -> dict[str, float | None]:
    """Figures of a quick judgement, which lacks METEOR because that needs Java."""
    return {**dict.fromkeys((*BLEUS, "ROUGE-L"), 100.0), "CIDEr-D": None}


def tiny() -> Writer:
    """A UniVL with random weights, whose decoder writes few words."""
    config = find("models", "univl").Config.tiny()
    model: Writer = config.model_copy(update={"reads": "transcript", "words": 8}).build()
    return model


TASK = Task(
    does="writes captions",
    report=CaptioningReport,
    wants=("tokenize", "caption"),
    judge=judge,
    main={name: name for name in ("BLEU-4", "CIDEr-D")},
    higher=higher,
    chosen_by="CIDEr-D",
    tiny=tiny,
    reads_captions=False,
    writes=write_captions,
)
