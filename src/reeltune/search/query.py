"""Answers one query from a gallery: scores, filters, folds, and says how sure the answer is."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, SupportsFloat, SupportsIndex, TypedDict, get_args

import numpy as np
from jaxtyping import Float

from reeltune.errors import ConfigError, LibraryError
from reeltune.media.words import each_text
from reeltune.records import Channel, Hit
from reeltune.search._confidence import POOR, kind_of
from reeltune.search._fold import Chosen, choose
from reeltune.search._rescore import Score
from reeltune.search.script import Evidence
from reeltune.search.store.found import Found
from reeltune.search.store.gallery import Gallery, Ranking, not_finite
from reeltune.search.store.only import Only
from reeltune.search.store.schema import CAPTION
from reeltune.search.times import as_text

FIRST_LOOK, PER_ANSWER = 64, 6  # moments compared in detail at first, in all and per answer
OWN_LOOK, OWN_ANSWER = 256, 16  # the same where a score of its own may prefer any of them
WIDER = 8  # times as many, when they fold into too few
BRIEF = 100  # answers; searches for more of them do not keep others waiting
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS = 1_000_000  # of a second, to which the date of a hit is told
BEST_OF = 2  # moments of a video whose mean score is the video's

Sort = Literal["match", "date"]
Order = Literal[Sort, "turn"]
# From cosines, and how many moments were searched, to the chance that each matches
Chance = Callable[[Float[np.ndarray, " M"], int], Float[np.ndarray, " M"]]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """The wishes of a search."""

    k: int = 10
    where: str | None = None  # a filter, see `where`
    per_video: int | None = None  # most moments of one video; None: videos first, then moments
    fold: bool = True  # overlapping windows and near-duplicates count as one
    min_confidence: float = 0.0  # moments that are less sure are left out
    # The k best, best first, by "date", newest first, or in their "turn": the best of each video
    # before second ones, so that fewer are the beginning of more, and parts of these are pages.
    sort: str = "match"
    channels: Sequence[Channel] = ()  # those that count; none named: all there are
    inside: str | Path | None = None  # a file, or folder, that alone is searched
    between: tuple[float | None, float | None] = (None, None)  # s, from and to; None: no limit

    def __post_init__(self) -> None:
        self._set(k=_whole(self.k), min_confidence=_number("min_confidence", self.min_confidence))
        self._set(between=tuple(None if at is None else _second(at) for at in self.between))
        if self.k < 1:
            raise ConfigError(f"k is {self.k}; ask for at least 1 answer")
        if self.per_video is not None and self.per_video < 1:
            raise ConfigError(
                f"per_video is {self.per_video}; allow at least 1, or leave it out for no limit"
            )
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(
                f"min_confidence is {self.min_confidence}; give a share from 0 to 1, such as 0.5"
            )
        if self.sort not in get_args(Order):
            raise ConfigError(f"sort is {self.sort!r}; sort by {' or '.join(get_args(Sort))}")
        self._set(channels=tuple(dict.fromkeys(each_text(self.channels))))
        if wrong := [one for one in self.channels if one not in get_args(Channel)]:
            raise ConfigError(
                f"{wrong[0]!r} is no channel (--in); take some of {', '.join(get_args(Channel))}"
            )
        begin, end = self.between
        if begin is not None and end is not None and not begin < end:
            raise ConfigError(
                f"the time searched is from {begin:g} to {end:g} s; let it end after it begins"
            )

    def _set(self, **wishes: object) -> None:
        """Have wishes in the one form in which all else takes them, as an Ask is not changed."""
        for name, value in wishes.items():
            object.__setattr__(self, name, value)


def _whole(k: SupportsIndex) -> int:
    try:
        return operator.index(k)
    except TypeError:
        raise ConfigError(f"k is {k!r}; ask for a whole number of answers") from None


def _number(name: str, value: SupportsFloat) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{name} is {value!r}; give a number") from None


def _second(at: SupportsFloat) -> float:
    second = _number("a time searched", at)
    if not math.isfinite(second):
        raise ConfigError(f"a time searched is {second:g}; give seconds, or None for no limit")
    return second


class Wishes(TypedDict, total=False):
    """The wishes of a search, as keywords; see `Ask`."""

    k: int
    where: str | None
    fold: bool
    min_confidence: float
    sort: Order
    channels: Sequence[Channel]
    inside: str | Path | None
    between: tuple[float | None, float | None]


def answer(
    gallery: Gallery,
    query: Float[np.ndarray, " D"],
    ask: Ask = Ask(),
    chance: Chance | None = None,
    own: Score | None = None,
    words: Evidence | None = None,
    only: Only | None = None,
    scores: Float[np.ndarray, " N"] | None = None,
) -> list[Hit]:
    """The best moments for a unit vector, best first.

    The answer is the same as if all moments were walked through in order, but only a few hundred
    usually are. `similar` counts other videos among those. `chance` is the calibrated confidence
    that moments match, by cosines alone; without it none is known.

    `own`, a score of whole vectors, puts those few hundred in order in place of the cosine, which
    found them: a moment whose cosine is not among the best is missed, whatever its own score.
    `words` is what the library's words say about the query; without them what is seen is all.
    `only` is a part of the library that alone is searched. `scores` are what `gallery.scores` has
    for the query, where that is known.

    Raises ConfigError for a filter that is wrong, and LibraryError for vectors that cannot be
    compared.
    """
    if chance is None and ask.min_confidence:
        raise ConfigError(
            f"min_confidence is {ask.min_confidence}, but the library's model has a score of its "
            "own, of which no confidence is known; leave it out (--min-confidence)"
        )
    gain = None if words is None else words.gain
    ranking = gallery.rank(query, ask.where, gain, only, scores)
    with ranking.turns if ask.k <= BRIEF else nullcontext():
        return _best(gallery, ranking, ask, chance, own, words)


def _best(
    gallery: Gallery,
    ranking: Ranking,
    ask: Ask,
    chance: Chance | None,
    own: Score | None,
    words: Evidence | None,
) -> list[Hit]:
    least, each = (FIRST_LOOK, PER_ANSWER) if own is None else (OWN_LOOK, OWN_ANSWER)
    count, every_video = max(least, each * ask.k), ranking.on_disk
    while True:
        found = ranking.best(count, every_video)
        if own is not None:
            found = found.ordered_by(_finite(own(found.whole), gallery))
        elif chance is not None and ask.min_confidence:
            sure = _sures(found, chance, ranking.size, words)
            found = found.those(sure >= ask.min_confidence)
        found = found if words is None else words.placed(found)
        chosen = choose(found, ask.k, ask.per_video, ask.fold)
        if chosen.settled or count >= ranking.limit:
            break
        if ask.per_video is None and not every_video:
            every_video = True
        else:
            count *= WIDER
    sures = None if chance is None else _sures(found, chance, ranking.size, words)
    shown = _sorted(found, chosen, ask.sort)
    texts = found.texts_of([row for row, _ in shown])
    hits = [
        _hit(found, row, own, similar, None if sures is None else float(sures[row]))
        for (row, similar), own in zip(shown, texts, strict=True)
    ]
    return hits if words is None else [words.explained(hit) for hit in hits]


def _sures(
    found: Found, chance: Chance, size: int, words: Evidence | None
) -> Float[np.ndarray, " M"]:
    """The confidence of moments, which is that of their scores unless they have the very words."""
    if words is None:
        return chance(found.score, size)
    return np.maximum(chance(words.as_seen(found.score), size), words.literal(found))


def _sorted(found: Found, chosen: Chosen, sort: str) -> list[tuple[int, int]]:
    """Rows to show, each with how many others look the same; of one date, as hits have it, the best
    first."""
    rows = list(zip(chosen.rows, chosen.similar, strict=True))
    if sort == "turn":
        similar = dict(rows)
        return [(row, similar[row]) for row in chosen.taken]
    if sort == "date":
        return sorted(rows, key=lambda row: -(int(found.date[row[0]]) // MICROSECONDS))
    return rows


def in_order(hits: Sequence[Hit], sort: str) -> list[Hit]:
    """Hits, such as those of a page or of several, in the order in which one search has them."""
    best = sorted(hits, key=lambda hit: (-hit.score, hit.id))
    return sorted(best, key=lambda hit: hit.date, reverse=True) if sort == "date" else best


def _hit(found: Found, row: int, texts: Mapping[str, Any], similar: int, sure: float | None) -> Hit:
    return Hit(
        path=texts["path"],
        location=texts["location"],
        start=float(found.start[row]),
        end=float(found.end[row]),
        score=float(found.score[row]),
        confidence=sure,
        duration=float(found.duration[row]),
        similar=similar,
        parts={"seen": float(found.seen[row])},
        caption=texts.get(CAPTION),
        date=as_text(EPOCH + timedelta(microseconds=int(found.date[row]))),
        id=texts["id"],
        file=texts["video"],
    )


def may_match(hits: Sequence[Hit], text: str | None) -> bool:
    """Whether any of the hits may be what was looked for; `text` is None where that was a picture
    or a video. Where no confidence is known, it may."""
    return any(matches_well(hit, text) for hit in hits)


def matches_well(hit: Hit, text: str | None) -> bool:
    """Whether a hit may be what was looked for, or is merely the nearest; see `may_match`."""
    return hit.confidence is None or hit.confidence >= fair(text)


def fair(text: str | None) -> float:
    """The confidence from which on a hit may be what was looked for; `text` as in `may_match`."""
    return POOR[kind_of(text)]


def _finite(scores: Float[np.ndarray, " M"], gallery: Gallery) -> Float[np.ndarray, " M"]:
    if not np.isfinite(scores).all():
        raise LibraryError(not_finite(gallery.uri))
    return scores


def videos(gallery: Gallery, query: Float[np.ndarray, " D"]) -> list[tuple[str, float]]:
    """Every video with a score from its best moments, best first: the mean of the best two.

    The second moment steadies the first, whose maximum over many moments favours long videos.
    Beyond what fits in memory, only the videos of the best few thousand moments are listed.
    """
    ranking = gallery.rank(query)
    found = ranking.best(ranking.limit)
    order = np.argsort(found.video, kind="stable")  # within a video still best first
    codes = found.video[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    place = np.arange(len(codes)) - np.repeat(starts, np.diff(starts, append=len(codes)))
    best = place < BEST_OF
    counts = np.bincount(codes[best])
    means = np.bincount(codes[best], found.score[order][best]) / np.maximum(counts, 1)
    scored = [(found.path[order[at]], float(means[codes[at]])) for at in starts]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))
