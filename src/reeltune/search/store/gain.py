"""What words add to the scores of moments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Gain:
    """What words add to the scores of N moments."""

    row: Mapping[str, int]  # from 0 to N - 1, by the ids of the moments
    place: Int[np.ndarray, " N"]  # of the moments in their table
    value: Float[np.ndarray, " N"]  # on the scale of the cosine
    wanted: Bool[np.ndarray, " N"] | None = None  # those that alone may answer; None: any may
    with_seen: bool = True  # whether the cosine counts as well

    def to_all(self, cosines: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Scores of all moments of the table; minus infinity where one may not answer."""
        scores = cosines.astype(np.float64) * self.with_seen
        scores[self.place] += self.value
        if self.wanted is not None:
            may = np.zeros(len(scores), bool)
            may[self.place[self.wanted]] = True
            scores[~may] = -np.inf
        return scores

    def to_some(
        self, cosines: Float[np.ndarray, " M"], ids: Sequence[str]
    ) -> Float[np.ndarray, " M"]:
        """Scores of moments with these ids, all of which may answer."""
        rows = np.array([self.row.get(id, -1) for id in ids], np.int64)
        return cosines * self.with_seen + np.where(rows < 0, 0.0, np.append(self.value, 0)[rows])

    def best(self, count: int) -> list[str]:
        """Ids of the moments to which words add most."""
        order = np.argsort(-self.value, kind="stable")
        may = order if self.wanted is None else order[self.wanted[order]]
        chosen = set(may[:count].tolist())
        return [id for id, row in self.row.items() if row in chosen]
