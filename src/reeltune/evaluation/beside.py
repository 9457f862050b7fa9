"""Makes what may be asked for besides a report: a file of its scores, and post-processed
figures. What is scored again is a wish too, which a task of pairs fulfils."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from reeltune.errors import ConfigError
from reeltune.evaluation.protocols import ProtocolCard
from reeltune.evaluation.rerank import Rerank
from reeltune.evaluation.rescore import rescored
from reeltune.evaluation.retrieval import Report, report_beside, retrieval_report
from reeltune.storage.arrays import write_array
from reeltune.storage.atomic_file import replacing, write_atomically
from reeltune.types import Pair, Split

IDS = ".ids.json"  # what ends the name of the file that names rows and columns
TRAINING = "qb-norm"  # the post-processing that needs training captions and videos


@dataclass(frozen=True)
class Asked:
    """A person's wishes besides the figures."""

    scores: Path | None = None  # file of the scores; its ids go beside it
    post: tuple[str, ...] = ()  # as a card names them, such as "dsl 0.01"
    bank: Split | None = None  # the training split, if `needs_bank`
    rerank: Rerank | None = None

    def __post_init__(self) -> None:
        if self.post and self.rerank is not None and self.rerank.alone:
            raise ConfigError(
                "--post is computed from scores of all pairs, and --alone leaves most of them out; "
                "leave out one of the two"
            )

    @property
    def needs_bank(self) -> bool:
        """Whether a wish is computed from training captions and videos."""
        return any(name.startswith(TRAINING) for name in self.post)


NOTHING = Asked()


def bank_of(asked: Asked, options: Any, split: str) -> Split | None:
    """The training split of a dataset's `options`, where QB-Norm normalises by it.

    Errors: `ConfigError` where it is the split that is measured.
    """
    if not asked.needs_bank:
        return None
    if split == "train":
        raise ConfigError(
            "--post qb-norm takes its bank from the training split, which --split train measures; "
            "measure val or test"
        )
    found: Split = options.read("train")
    return found


def require_hubs(asked: Asked, split: Split) -> None:
    """Raise ConfigError where QB-Norm asks for more hubs of a query than the split has videos, or
    captions, since a video is ranked among these."""
    most = min(split.videos, len(split.pairs))
    for name in asked.post:
        kind, *numbers = name.split()
        if kind == TRAINING and int(numbers[1]) > most:
            given = ":".join([kind, *numbers])
            raise ConfigError(
                f"--post {given} asks for the best {numbers[1]} of {most:,}, the videos or "
                f"captions that are ranked; give --post {kind}:{numbers[0]}:K with K from 1 to "
                f"{most}"
            )


@dataclass(frozen=True)
class Scored:
    """Scores of a split, and how other texts, or other clips, are scored with its own."""

    values: Float[np.ndarray, "Q N"]
    of_texts: Callable[[Sequence[str]], Float[np.ndarray, "M N"]]
    of_clips: Callable[[Sequence[Pair]], Float[np.ndarray, "Q R"]]


def with_asked(
    report: Report, asked: Asked, scored: Scored, pairs: Sequence[Pair], gallery: Sequence[str]
) -> Report:
    """The report with figures of each post-processing under `beside`; scores are written first.

    The bank of QB-Norm is every caption of the training split, and every video of it.
    """
    if asked.scores is not None:
        write_scores(asked.scores, scored.values, pairs, gallery, report.protocol)
    text_bank, video_bank = _banks(asked, scored)
    others = {}
    for name in asked.post:
        there, back = rescored(scored.values, name, text_bank, video_bank)
        card = replace(report.protocol, postprocessing=name)
        others[name] = retrieval_report(there, pairs, gallery, card, v2t_scores=back)
    lacks = {} if asked.bank is None else {"train": asked.bank.left_out}
    return report_beside(report, others).also_without(lacks)


def _banks(
    asked: Asked, scored: Scored
) -> tuple[Float[np.ndarray, "M N"] | None, Float[np.ndarray, "Q R"] | None]:
    if asked.bank is None:
        return None, None
    first = {pair.video: pair for pair in reversed(asked.bank.pairs)}
    texts = [pair.caption for pair in asked.bank.pairs]
    return scored.of_texts(texts), scored.of_clips(list(first.values()))


def require_scores_file(path: Path) -> list[Path]:
    """The files that scores are written to under that name; raises ConfigError unless it is one
    that `numpy.load` expects."""
    if path.suffix != ".npy":
        raise ConfigError(
            f"--scores {path} is no name of a numpy file; give one that ends in .npy, such as "
            f"{path.with_suffix('.npy')}"
        )
    return [path, path.with_suffix(IDS)]


def write_scores(
    path: Path,
    scores: Float[np.ndarray, "Q N"],
    pairs: Sequence[Pair],
    gallery: Sequence[str],
    card: ProtocolCard,
) -> None:
    """The matrix as `path`, and beside it, as JSON, whose its rows and columns are.

    Row i is the caption of `rows[i]`, column j the video `columns[j]`.
    """
    path, names = require_scores_file(path)
    rows = [{"video": p.video, "caption": p.caption, "start": p.start, "end": p.end} for p in pairs]
    ids = {"rows": rows, "columns": list(gallery), "protocol": asdict(card)}
    with replacing(path) as half:
        write_array(half, scores, scores.dtype)
    write_atomically(names, json.dumps(ids, ensure_ascii=False).encode())
