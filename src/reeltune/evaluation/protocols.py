"""The cards of protocols, which must agree before two numbers may be compared."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar, cast, get_args

from pydantic import ConfigDict

from reeltune.errors import ConfigError
from reeltune.evaluation.left_out import BySplit, is_incomplete, sentences
from reeltune.evaluation.report import AnyCard
from reeltune.types import LeftOut, Pair

TIES = "against the model"
V2tRule = Literal["grouped", "any"]
V2T: tuple[V2tRule, ...] = get_args(V2tRule)
_NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
_POSTPROCESSING = re.compile(rf"none|dsl {_NUMBER}|qb-norm {_NUMBER} [1-9]\d*")
_MAY_DIFFER = ("asked_hash", "differs", "model", "fingerprint", "seed", "scores", "left_out")


@dataclass(frozen=True, kw_only=True)
class ProtocolCard:
    """How a number was obtained.

    `v2t` is the rule for a video with several captions: "grouped" ranks it among videos, each by
    its best caption (CLIP4Clip, metrics.py); "any" ranks its best caption among all captions, where
    its own others do not compete (Dual Encoding).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    dataset: str
    split: str
    split_hash: str  # of `split_hash(pairs, gallery)`
    captions: Literal["single", "multiple", "paragraph"]
    frames: str  # such as "uniform 12"
    model: str
    fingerprint: str  # of weights and preprocessing
    seed: int | None  # of the training; None where nothing was trained
    queries: int  # Q
    gallery: int  # N
    ties: str = TIES
    v2t: str = "grouped"  # of `V2T`
    postprocessing: str = "none"  # or "dsl TEMPERATURE", or "qb-norm BETA K"
    scores: str = "similarity"  # of vectors; or "pairs", of a cross encoder that saw each,
    # or "pairs, top 100 of similarity", where it saw those that vectors chose
    left_out: dict[str, tuple[LeftOut, ...]] = field(default_factory=dict)  # by split
    asked_hash: str = ""  # `split_hash` of all that was to be measured, before any was left out
    differs: tuple[str, ...] = ()  # what of the data is not as the benchmark has it

    def __post_init__(self) -> None:
        if self.ties != TIES:
            raise ConfigError(f"protocol.ties is {self.ties!r}; the only rule is {TIES!r}")
        if self.v2t not in V2T:
            raise ConfigError(f"protocol.v2t is {self.v2t!r}; it must be one of: {', '.join(V2T)}")
        require_postprocessing(self.postprocessing)

    @property
    def incomplete(self) -> bool:
        """Whether the split that was measured lacks something."""
        return is_incomplete(self.left_out, self.split)

    def unlike(self, other: "ProtocolCard") -> dict[str, tuple[object, object]]:
        """Fields that forbid a comparison, with both values; the model itself may differ."""
        return unlike(self, other)

    def markdown(self) -> str:
        """A table of two columns, for a model card."""
        return card_markdown(self)


@dataclass(frozen=True, kw_only=True)
class CaptionCard:
    """How figures of captions were obtained."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    dataset: str
    split: str
    split_hash: str  # of `split_hash(pairs, gallery)`
    frames: str  # such as "features tiny-clip fps 5"
    reads: Literal["V", "V+T"]  # the video alone, or what is said in it too
    beams: int
    longest: int  # words of a caption
    clips: int
    references: tuple[int, int]  # fewest and most of a clip; all are used
    words: tuple[str, ...]  # how sentences were split, first that of figures without a suffix
    model: str
    fingerprint: str
    seed: int | None
    left_out: dict[str, tuple[LeftOut, ...]] = field(default_factory=dict)  # by split
    asked_hash: str = ""  # `split_hash` of all that was to be measured, before any was left out
    differs: tuple[str, ...] = ()  # what of the data is not as the benchmark has it

    @property
    def incomplete(self) -> bool:
        """Whether the split that was measured lacks something."""
        return is_incomplete(self.left_out, self.split)

    def unlike(self, other: "CaptionCard") -> dict[str, tuple[object, object]]:
        """Fields that forbid a comparison, with both values; the model itself may differ."""
        return unlike(self, other)

    def markdown(self) -> str:
        """A table of two columns, for a model card."""
        return card_markdown(self)


@dataclass(frozen=True)
class Named:
    """The facts in a report about its data, how they are judged and how the model was trained."""

    dataset: str
    split: str
    seed: int | None = None
    v2t: V2tRule = "grouped"
    asked_hash: str = ""  # of the split as its dataset gave it
    differs: tuple[str, ...] = ()  # what of the data is not as the benchmark has it


Card = TypeVar("Card", bound=AnyCard)


def also_without(card: Card, left_out: BySplit) -> Card:
    """The card with what splits of other names lacked; those that lacked nothing are not named."""
    others = {split: tuple(entries) for split, entries in left_out.items() if entries}
    found: Card = replace(cast(Any, card), left_out=card.left_out | others)
    return found


def unlike(card: Any, other: Any) -> dict[str, tuple[object, object]]:
    """Fields in which two cards of one kind differ, but for those that may, with both values."""
    mine, others = asdict(card), asdict(other)
    names = [name for name in mine if name not in _MAY_DIFFER]
    return {n: (mine[n], others[n]) for n in names if mine[n] != others[n]}


def card_markdown(card: Any) -> str:
    """The fields of a card as a table of two columns."""
    bars = ((name, value.replace("|", "\\|")) for name, value in card_rows(card).items())
    rows = [f"| {name} | {value} |" for name, value in bars]
    return "\n".join(["| protocol | |", "|---|---|", *rows]) + "\n"


def card_rows(card: Any) -> dict[str, str]:
    """The fields of a card, which is a dataclass, as people read them."""
    return {
        field.name.replace("_", " "): _cell(getattr(card, field.name)) for field in fields(card)
    }


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(sentences(value)) or "nothing"
    return ", ".join(map(str, value)) or "nothing" if isinstance(value, tuple) else str(value)


def postprocessing_named(given: str) -> str:
    """`dsl:0.01` or `qb-norm:20:1`, as a person gives it, by the name that a card has for it.

    Errors: `ConfigError` for anything else, and for numbers that are not above 0.
    """
    name, *numbers = given.split(":")
    found = " ".join((name, *numbers))
    known = bool(numbers) and _POSTPROCESSING.fullmatch(found) is not None
    if not known or any(float(number) <= 0 for number in numbers):
        raise ConfigError(
            f"--post {given} is no post-processing; give --post dsl:TEMPERATURE, such as dsl:0.01, "
            "or --post qb-norm:BETA:K, such as qb-norm:20:1, with numbers above 0"
        )
    return found


def require_postprocessing(name: str) -> None:
    """Raise ConfigError unless `name` is a post-processing with all its numbers."""
    if not _POSTPROCESSING.fullmatch(name):
        raise ConfigError(
            f"protocol.postprocessing is {name!r}; write 'none', 'dsl TEMPERATURE' such as "
            f"'dsl 0.01', or 'qb-norm BETA K' such as 'qb-norm 20 1'"
        )


def split_hash(pairs: Sequence[Pair], gallery: Iterable[str] = ()) -> str:
    """Hash of ids, captions, spans, and what is to be answered, in their order, and of gallery
    videos without a caption.

    Where files lie, the order of the gallery and tags do not count.
    """
    found = hashlib.blake2b(digest_size=8)
    for pair in pairs:
        end = None if pair.end is None else float(pair.end)
        row: list[object] = [pair.video, pair.caption, float(pair.start), end]
        wanted = [list(pair.options), pair.answer, pair.rating]
        row += wanted if wanted != [[], None, None] else []
        found.update(json.dumps(row).encode() + b"\n")
    distractors = sorted(set(gallery) - {pair.video for pair in pairs})
    found.update(json.dumps(distractors).encode())
    return found.hexdigest()
