"""Says how good captions are: BLEU, ROUGE-L, CIDEr-D and, if Java is at hand, METEOR.

The first three are pycocoevalcap's, written again in plain Python and tested equal to it, so
they need nothing installed. Two ways to split sentences into words are in use, and figures of
one are not comparable with figures of the other:

bert  BERT's basic tokeniser: lower case, no accents, punctuation as words of its own. UniVL and
      MELTR score what their tokeniser wrote with nlg-eval, which splits at spaces: the same words.
ptb   the Penn Treebank's, punctuation left out, as papers on COCO; it runs in Java.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from reeltune.errors import ConfigError, DataError
from reeltune.evaluation._cider_d import cider_d
from reeltune.evaluation._rouge_l import rouge_l
from reeltune.evaluation.bleu import bleu_of, counted
from reeltune.evaluation.java import meteor, ptb, why_not

Tokens = Literal["bert", "ptb"]


@dataclass(frozen=True, kw_only=True)
class CaptionReport:
    """Figures times 100, as tables print them, and how they were obtained.

    `figures` has BLEU-1 to BLEU-4, ROUGE-L, CIDEr-D and, if it was asked for, METEOR;
    `segments` has the same but BLEU for each clip; `counts` has what each adds to BLEU.
    """

    figures: dict[str, float]
    segments: dict[str, dict[str, float]]
    tokens: Tokens
    clips: int
    references: tuple[int, int]  # fewest and most of a clip; all are used
    counts: dict[str, list[int]]  # of `_bleu.counted`

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def caption_report(
    found: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    tokens: Tokens = "bert",
    with_meteor: bool | None = None,
) -> CaptionReport:
    """Figures of one caption per clip against all its references, by clip.

    METEOR is computed where it can be; `with_meteor` asks for it or leaves it out.
    Errors: `DataError` for clips that only one side has or that have no reference, `ConfigError`
    for `ptb` or METEOR where Java cannot run.
    """
    _require_clips(found, references)
    if tokens not in get_args(Tokens):
        raise ConfigError(f"tokens is {tokens!r}; it must be one of {', '.join(get_args(Tokens))}")
    clips = list(found)
    several = [references[clip] for clip in clips]
    split = split_words([*found.values(), *(text for texts in several for text in texts)], tokens)
    words, rest = split[: len(clips)], iter(split[len(clips) :])
    truths = [[next(rest) for _ in texts] for texts in several]

    scores = {"ROUGE-L": rouge_l(words, truths), "CIDEr-D": cider_d(words, truths)}
    counts = [counted(*one) for one in zip(words, truths, strict=True)]
    bleus = bleu_of(np.sum(counts, axis=0))
    figures = {f"BLEU-{order}": value for order, value in enumerate(bleus, 1)}
    figures |= {name: sum(values) / len(clips) for name, values in scores.items()}
    if _wants_meteor(with_meteor):
        joined = [[" ".join(truth) for truth in some] for some in truths]
        figures["METEOR"], scores["METEOR"] = meteor([" ".join(one) for one in words], joined)
    sizes = [len(texts) for texts in several]
    return CaptionReport(
        figures={name: 100 * value for name, value in figures.items()},
        segments={
            name: {clip: 100 * value for clip, value in zip(clips, values, strict=True)}
            for name, values in scores.items()
        },
        tokens=tokens,
        clips=len(clips),
        references=(min(sizes), max(sizes)),
        counts=dict(zip(clips, counts, strict=True)),
    )


def split_words(texts: Sequence[str], tokens: Tokens) -> list[list[str]]:
    """Words of each text; `ptb` runs Java once for all."""
    if tokens == "ptb":
        return [line.split() for line in ptb(texts)]
    normalizer, splitter = BertNormalizer(lowercase=True), BertPreTokenizer()
    return [
        [word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))]
        for text in texts
    ]


def _wants_meteor(asked: bool | None) -> bool:
    fault = why_not()
    if asked and fault:
        raise ConfigError(f"METEOR was asked for, but {fault}, or leave METEOR out")
    return fault is None if asked is None else asked


def _require_clips(found: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> None:
    if not found:
        raise DataError("there is no caption to score; give at least one")
    if odd := sorted(found.keys() ^ references.keys()):
        raise DataError(
            f"clips that have a caption or references and not both: {len(odd)}, such as "
            f"{odd[0]!r}; give the same clips on both sides"
        )
    if bare := sorted(clip for clip, texts in references.items() if not texts):
        raise DataError(
            f"clips without a reference: {len(bare)}, such as {bare[0]!r}; leave them out"
        )
