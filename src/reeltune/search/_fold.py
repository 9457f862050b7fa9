"""Turns the best moments into answers: one thing is shown once, and no video crowds out the
rest."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int

from reeltune.search.store.found import Found

# Two moments at least this alike, with hashes that differ in at most this many of 64 bits, show
# the same. Measured by benchmarks/bench_copies.py with lite: of clips encoded again at half the
# size, half the frame rate or a poor bit rate these find 50, 50 and 70 %, and confound none of
# 32,099 pairs of moments from different clips. Other moments of one scene (27 of 215) set the
# limit: a fixed camera sees much the same every day.
COSINE, BITS = 0.9, 10
APART = 1e-3  # s, by which times may differ and still be one
NOT_TAKEN = -1


@dataclass(frozen=True)
class Chosen:
    """Rows of `found` to show, best first, and how many other videos show the same as each."""

    rows: list[int]
    similar: list[int]
    settled: bool  # whether looking at more moments could not change the rows
    taken: list[int]  # the rows in their turn, in which those of fewer answers come first


@dataclass
class _Walk:
    """Goes through moments in order and takes those that show something new."""

    found: Found
    k: int
    fold: bool
    taken: list[int] = field(default_factory=list)
    used: dict[int, int] = field(default_factory=dict)  # video -> its moments among the answers
    copy_of: list[int] = field(default_factory=list)  # row -> place in `taken`, or NOT_TAKEN
    covered: Bool[np.ndarray, " M"] = field(init=False)  # rows that a taken one of the video covers
    counted: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.copy_of = [NOT_TAKEN] * len(self.found.score)
        self.covered = np.zeros(len(self.found.score), bool)

    @property
    def is_full(self) -> bool:
        return len(self.taken) == self.k

    def visit(self, rows: Iterable[int], most: int) -> None:
        """Take rows until there are `k`, but at most `most` of one video.

        A moment that shows the same as an answer of another video stands for its video there, so
        a copy of a film does not come back with the moments that the film itself may not show.
        """
        for row in rows:
            if self.is_full:
                return
            video, place = int(self.found.video[row]), self.copy_of[row]
            if self.covered[row]:
                continue
            if place != NOT_TAKEN:
                if (video, place) not in self.counted:
                    self.counted.add((video, place))
                    self.used[video] = self.used.get(video, 0) + 1
            elif self.used.get(video, 0) < most:
                self._take(row, video)

    def _take(self, row: int, video: int) -> None:
        self.used[video] = self.used.get(video, 0) + 1
        self.covered[row] = True
        self.taken.append(row)
        if self.fold:
            (own,), same = (self.found.video == video).nonzero(), alike(self.found, row)
            if len(own) > 1:
                self.covered[own] |= covers(self.found, row, own, same)
            for copy in same.nonzero()[0]:
                if self.found.video[copy] != video and self.copy_of[copy] == NOT_TAKEN:
                    self.copy_of[copy] = len(self.taken) - 1

    def result(self, settled: bool) -> Chosen:
        copies: list[set[int]] = [set() for _ in self.taken]
        for row, place in enumerate(self.copy_of):
            if place != NOT_TAKEN:
                copies[place].add(int(self.found.video[row]))
        order = sorted(range(len(self.taken)), key=lambda place: self.taken[place])
        return Chosen(
            [self.taken[place] for place in order],
            [len(copies[place]) for place in order],
            settled,
            self.taken,
        )


def choose(found: Found, k: int, per_video: int | None = None, fold: bool = True) -> Chosen:
    """At most `k` moments, best first.

    With `per_video`, the best ones, at most so many of one video. Without, as many different
    videos as there are and then further moments of them, so a library of many videos answers
    with k of them and a single film with k of its moments.

    With `fold`, moments of one video that overlap count as the best of them, and so do
    near-duplicates in several videos.
    """
    walk = _Walk(found, k, fold)
    if per_video is not None:
        walk.visit(range(found.complete), per_video)
        return walk.result(walk.is_full or found.has_all)
    walk.visit(firsts(found.video), 1)
    if walk.is_full or not found.has_videos:
        return walk.result(walk.is_full)
    walk.visit(range(found.complete), k)
    return walk.result(walk.is_full or found.has_all)


def firsts(video: Int[np.ndarray, " M"]) -> list[int]:
    """The first row of each video, in order."""
    return sorted(np.unique(video, return_index=True)[1].tolist())


def covers(
    found: Found, row: int, own: Int[np.ndarray, " V"], same: Bool[np.ndarray, " M"]
) -> Bool[np.ndarray, " V"]:
    """Which of the moments of its video (`own`) overlap one in time, or touch it and look the
    `same`.

    Shots that follow each other touch and are two things; windows over one long shot are one.
    """
    start, end = found.start[own], found.end[own]
    shared = np.minimum(end, found.end[row]) - np.maximum(start, found.start[row])
    touching = shared >= -APART
    return (shared > APART) | (touching & same[own])


def alike(found: Found, row: int) -> Bool[np.ndarray, " M"]:
    """Which moments are near-duplicates of one: alike in meaning and in the layout of the picture.

    A cosine alone would fold two beaches, a hash alone two dark rooms. What is found by its words
    is like no other: one picture may have many of them.
    """
    if found.worded[row]:
        return np.zeros(len(found.score), bool)
    bits = np.bitwise_count((found.dhash ^ found.dhash[row]).view(np.uint64))
    same = np.zeros(len(bits), bool)
    (near,) = ((bits <= BITS) & ~found.worded).nonzero()
    same[near] = found.vector[near] @ found.vector[row] >= COSINE
    return same
