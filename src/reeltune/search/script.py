"""The words of a library beside its moments: what said and shown add to the scores of a query.

A moment's words count as much as the mean of its phrases, so many gain no more than few, and a
moment without words gains nothing. What words add is a logarithm of how much likelier they make a
match, on the scale of the cosine: as much as a cosine would that makes a match as much likelier.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from reeltune.records import Channel, Hit, Quoted
from reeltune.search.channels.channel import Words
from reeltune.search.channels.phrases import Phrases, Weighed, together
from reeltune.search.channels.question import Question
from reeltune.search.channels.tokens import tokens
from reeltune.search.store.dataset import Table
from reeltune.search.store.found import Found
from reeltune.search.store.gain import Gain
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.nearest import vectors_of
from reeltune.search.store.texts import PHRASES

TELLING = 1.0  # natural logarithm of a ratio from which on words are a reason for a hit
LITERALLY = 0.5  # the least confidence where every word of a query is said or shown as it is
COLUMNS = ["video", "channel", "start", "end", "text", "vector"]


@dataclass(frozen=True)
class Track:
    """One channel: its phrases, and which of them each moment has, in K pairs."""

    phrases: Phrases
    moment: Int[np.ndarray, " K"]  # in order
    phrase: Int[np.ndarray, " K"]

    def of(self, moment: int) -> Int[np.ndarray, " M"]:
        """The phrases of a moment."""
        first, last = np.searchsorted(self.moment, [moment, moment + 1])
        return self.phrase[first:last]

    def mean(self, ratio: Float[np.ndarray, " P"], count: int) -> Float[np.ndarray, " N"]:
        """The mean ratio of the phrases of each of so many moments, 1 for one without."""
        total = np.bincount(self.moment, ratio[self.phrase], minlength=count)
        phrases = np.bincount(self.moment, minlength=count)
        return np.where(phrases > 0, total / np.maximum(phrases, 1), 1.0)

    def having(self, phrases: Bool[np.ndarray, " P"], count: int) -> Bool[np.ndarray, " N"]:
        """Which of so many moments have any of some phrases."""
        return np.bincount(self.moment[phrases[self.phrase]], minlength=count) > 0


@dataclass(frozen=True)
class Script:
    """All words of a library, by N moments of videos that have words."""

    place: Int[np.ndarray, " N"]  # of the moments in their table
    row: Mapping[str, int]  # by the ids of the moments
    tracks: Mapping[Words, Track]

    @classmethod
    def read(cls, texts: Table, gallery: Gallery) -> "Script":
        """The words of a table of texts beside the moments of a gallery."""
        order = [(name, "ascending") for name in ("channel", "video", "start", "end", "id")]
        rows = texts.to_table(columns=[*COLUMNS, "id"], filter=PHRASES).sort_by(order)
        moments = gallery.moments_of(rows["video"])
        rows = rows.filter(pc.is_in(rows["video"], pc.unique(moments["video"])))
        tracks: dict[Words, Track] = {}
        for channel in pc.unique(rows["channel"]).to_pylist():
            of_channel = rows.filter(pc.equal(rows["channel"], channel))
            tracks[channel] = _track(of_channel, moments)
        row = {id: number for number, id in enumerate(moments["id"].to_pylist())}
        return cls(moments["place"].to_numpy(), row, tracks)

    def hold(
        self,
        questions: Sequence[tuple[float, Question]],
        channels: Sequence[Channel],
        scale: float,
        usual: float,
    ) -> "Evidence":
        """Hold questions, each of which counts so much, against the words of some channels.

        `scale` is what a natural logarithm is worth on the scale of the cosine, and `usual` the
        cosine of what has nothing to do with a query.
        """
        tracks = {name: track for name, track in self.tracks.items() if name in channels}
        weighed = {
            name: together([(counts, track.phrases.weigh(one)) for counts, one in questions])
            for name, track in tracks.items()
        }
        quotes = sum(len(one.quotes) for counts, one in questions if counts > 0)
        return Evidence(self, tracks, weighed, quotes, "seen" in channels, scale, usual)


@dataclass(frozen=True)
class Evidence:
    """What the words of a library say about one query."""

    script: Script
    tracks: Mapping[Words, Track]
    weighed: Mapping[Words, Weighed]
    quotes: int  # how many there are, each of which must be there
    with_seen: bool  # whether what is seen counts as well
    scale: float
    usual: float

    @cached_property
    def gains(self) -> dict[Words, Float[np.ndarray, " N"]]:
        """What each channel adds to the score of each moment."""
        count = len(self.script.place)
        return {
            name: self.scale * np.log(track.mean(self.weighed[name].ratio, count))
            for name, track in self.tracks.items()
        }

    @cached_property
    def gain(self) -> Gain:
        """What all words add to the scores of moments, and which moments alone may answer."""
        total = sum(self.gains.values(), np.zeros(len(self.script.place)))
        return Gain(self.script.row, self.script.place, total, self._wanted(), self.with_seen)

    def _wanted(self) -> Bool[np.ndarray, " N"] | None:
        """None where all may; else those with all that is in quotes, or with any words."""
        if self.with_seen and not self.quotes:
            return None
        count = len(self.script.place)
        there = np.ones(count, bool)
        for quote in range(self.quotes):
            each = (
                track.having(self.weighed[name].quoted[quote], count)
                for name, track in self.tracks.items()
            )
            there &= np.any([np.zeros(count, bool), *each], axis=0)
        if self.quotes:
            return there
        each = (np.bincount(track.moment, minlength=count) > 0 for track in self.tracks.values())
        return np.any([np.zeros(count, bool), *each], axis=0)

    def as_seen(self, score: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
        """Scores as those of moments of which all is seen that words say."""
        return score if self.with_seen else score + self.usual

    def literal(self, found: Found) -> Float[np.ndarray, " M"]:
        """The least confidence of moments by the very words of the query."""
        has = [any(one.literal for one in self.reasons(id).values()) for id in found.id]
        return LITERALLY * np.array(has, float)

    def placed(self, found: Found) -> Found:
        """Moments with the times of their words, where these say more than what is seen."""
        start, end, worded = found.start.copy(), found.end.copy(), found.worded.copy()
        for at, id in enumerate(found.id):
            reasons = [one for one in self.reasons(id).values() if one.tells or not self.with_seen]
            seen = found.seen[at] - self.usual if self.with_seen and not self.quotes else -np.inf
            if reasons and sum(one.gain for one in reasons) > seen:
                best = max(reasons, key=lambda one: one.gain)
                start[at], end[at], worded[at] = best.start, best.end, True
        return replace(found, start=start, end=end, worded=worded)

    def explained(self, hit: Hit) -> Hit:
        """A hit with what each channel adds, and the words that are a reason for it."""
        reasons = self.reasons(hit.id)
        parts = hit.parts if self.with_seen else {}
        quoted = {name: one.quoted() for name, one in reasons.items() if one.tells}
        return replace(
            hit,
            parts={**parts, **{name: one.gain for name, one in reasons.items()}},
            said=quoted.get("said"),
            shown=quoted.get("shown"),
        )

    def reasons(self, id: str) -> "dict[Words, Reason]":
        """What each channel has to say for a moment, by its id; nothing for one without words."""
        if id not in self._reasons:
            row = self.script.row.get(id)
            self._reasons[id] = {} if row is None else dict(self._of(row))
        return self._reasons[id]

    @cached_property
    def _reasons(self) -> "dict[str, dict[Words, Reason]]":
        return {}

    def _of(self, row: int) -> "Iterator[tuple[Words, Reason]]":
        for name, track in self.tracks.items():
            some, weighed = track.of(row), self.weighed[name]
            if not len(some):
                continue
            quotes = np.sum([one[some] for one in weighed.quoted], axis=0)
            best = some[np.lexsort((weighed.ratio[some], np.broadcast_to(quotes, some.shape)))[-1]]
            gain, is_quoted = float(self.gains[name][row]), bool(np.max(quotes) > 0)
            tells = is_quoted or gain >= TELLING * self.scale
            yield name, Reason(track.phrases, weighed, int(best), gain, tells)


@dataclass(frozen=True)
class Reason:
    """The phrase of a moment that answers best, and those after it that belong to it."""

    phrases: Phrases
    weighed: Weighed
    first: int
    gain: float  # of the moment, by its channel
    tells: bool  # whether it is a reason for a hit

    @property
    def last(self) -> int:
        """The last phrase of the sentence."""
        return int(self.weighed.until[self.first])

    @property
    def start(self) -> float:
        """When the words begin, in seconds."""
        return float(self.phrases.start[self.first])

    @property
    def end(self) -> float:
        """When the words end, in seconds."""
        return float(self.phrases.end[self.first : self.last + 1].max())

    @property
    def literal(self) -> bool:
        """Whether every word of the query is there as it is."""
        return bool(self.weighed.literal[self.first])

    def quoted(self) -> Quoted:
        """The words, with marks around those of the query; around stop words only where these stand
        in a phrase in quotes, or the query has no others."""
        text = " ".join(self.phrases.text[self.first : self.last + 1])
        told = tokens(text)
        words = [one.word for one in told]
        quoted = set[int]()
        for quote in self.weighed.quotes:
            quoted.update(*_places(list(quote), words))
        marks = [
            (one.start, one.end)
            for place, one in enumerate(told)
            if one.word in self.weighed.found or place in quoted
        ]
        return Quoted(start=self.start, end=self.end, text=text, marks=tuple(marks))


def _places(some: list[str], words: list[str]) -> Iterator[range]:
    """Where words stand in a row among others."""
    for at in range(len(words) - len(some) + 1):
        if words[at : at + len(some)] == some:
            yield range(at, at + len(some))


def _track(rows: pa.Table, moments: pa.Table) -> Track:
    """The phrases of one channel, and by the moments of the same videos."""
    video, start, end = (rows[name] for name in ("video", "start", "end"))
    codes = pc.index_in(video, pc.unique(video)).to_numpy().astype(np.int64)
    phrases = Phrases(
        codes, start.to_numpy(), end.to_numpy(), rows["text"].to_pylist(), vectors_of(rows)
    )
    of_moment = pc.index_in(moments["video"], pc.unique(video)).fill_null(-1).to_numpy()
    times = moments["start"].to_numpy(), moments["end"].to_numpy()
    order = np.argsort(of_moment, kind="stable")
    bounds = np.searchsorted(of_moment[order], np.arange(codes.max(initial=-1) + 2))
    starts = np.searchsorted(codes, np.arange(codes.max(initial=-1) + 2))
    pairs = [np.empty((2, 0), np.int64)]
    for code, (first, last) in enumerate(pairwise(bounds)):
        own, some = order[first:last], np.arange(starts[code], starts[code + 1])
        meet = _meeting(phrases, some, times[0][own], times[1][own])  # (P, M)
        of, at = np.nonzero(meet)
        pairs.append(np.stack([own[at], some[of]]))
    moment, phrase = np.concatenate(pairs, axis=1)
    by_moment = np.lexsort((phrase, moment))
    return Track(phrases, moment[by_moment], phrase[by_moment])


def _meeting(
    phrases: Phrases,
    some: Int[np.ndarray, " P"],
    start: Float[np.ndarray, " M"],
    end: Float[np.ndarray, " M"],
) -> Bool[np.ndarray, "P M"]:
    """Which phrases and moments of one video overlap; a phrase beside all of them is the nearest
    one's."""
    begins, ends = phrases.start[some, None], phrases.end[some, None]
    apart = np.maximum(begins, start) - np.minimum(ends, end)  # below zero where they overlap
    return (apart < 0) | (
        (apart == apart.min(axis=1, keepdims=True)) & (apart.min(axis=1) >= 0)[:, None]
    )
