"""From the best moments to answers: one thing is shown once."""

from dataclasses import dataclass, field

import numpy as np

from reeltune.search._gallery import Found

COSINE = 0.96  # two moments at least this alike, and
BITS = 12  # with hashes that differ in at most this many of 64 bits, show the same
TOUCHING = 1e-3  # s


@dataclass
class Answers:
    """Rows of `found` that were accepted, and how many near-duplicates each stands for."""

    found: Found
    rows: list[int] = field(default_factory=list)
    similar: list[int] = field(default_factory=list)

    def accept(self, row: int, fold: bool) -> None:
        """Take a row, unless one that was taken before it shows the same."""
        for place, taken in enumerate(self.rows):
            if self._same_video(row, taken):
                if fold and self._overlap(row, taken):
                    return
            elif fold and self._alike(row, taken):
                self.similar[place] += 1
                return
        self.rows.append(row)
        self.similar.append(0)

    def _same_video(self, a: int, b: int) -> bool:
        return self.found.video[a] == self.found.video[b]

    def _overlap(self, a: int, b: int) -> bool:
        starts, ends = self.found.start, self.found.end
        return bool(max(starts[a], starts[b]) < min(ends[a], ends[b]) - TOUCHING)

    def _alike(self, a: int, b: int) -> bool:
        bits = (int(self.found.dhash[a]) ^ int(self.found.dhash[b])) & (1 << 64) - 1
        if bits.bit_count() > BITS:
            return False
        return float(self.found.vector[a] @ self.found.vector[b]) >= COSINE


def answers(found: Found, k: int, fold: bool = True) -> Answers:
    """At most `k` rows: the best moment of each video first, then further moments of them.

    So a library of many videos answers with k different ones, and a single film with k of its
    moments. Windows that overlap fold into the better one, near-duplicates into the first.
    """
    made = Answers(found)
    firsts = np.sort(np.unique(np.array(found.video), return_index=True)[1]) if found.id else []
    rest = np.setdiff1d(np.arange(len(found.id)), firsts)
    for row in (*firsts, *rest):
        if len(made.rows) == k:
            break
        made.accept(int(row), fold)
    return made
