"""Moments that were found for a query, with their columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int, Shaped

from reeltune.search.store.gain import Gain
from reeltune.search.store.schema import CAPTION, TAKEN

TEXTS = ("id", "video", "path", "location", CAPTION)
NUMBERS = ("start", "end", "duration", "dhash")
Numbers = dict[str, Shaped[np.ndarray, " M"]]


@dataclass(frozen=True)
class Found:
    """Moments with their scores, best first; equal scores stand in the order of their ids."""

    texts: pa.Table  # id, video (the file by its content), path, location and maybe caption
    video: Int[np.ndarray, " M"]  # equal numbers are one video
    start: Float[np.ndarray, " M"]
    end: Float[np.ndarray, " M"]
    duration: Float[np.ndarray, " M"]
    dhash: Int[np.ndarray, " M"]
    date: Int[np.ndarray, " M"]  # us since 1970, when a video was taken, else last changed
    vector: Float[np.ndarray, "M E"]  # what is indexed: the first E of D columns
    rest: Float[np.ndarray, "M R"]  # the others
    seen: Float[np.ndarray, " M"]  # the cosine, or a score of its own by which they are in order
    score: Float[np.ndarray, " M"]  # that, and what words add
    worded: Bool[np.ndarray, " M"]  # whether it is words that answer; the times are then theirs
    complete: int  # no moment that is missing scores higher than any of the first so many
    has_all: bool  # no moment is missing
    has_videos: bool  # no video is missing

    @classmethod
    def of(
        cls,
        rows: pa.Table,
        vector: Float[np.ndarray, "M E"],
        seen: Float[np.ndarray, " M"],
        rest: Float[np.ndarray, "M R"] | None = None,
        gain: Gain | None = None,
        numbers: Numbers | None = None,
        **extent: int,
    ) -> "Found":
        """Put rows in order of their cosines and what words add; `extent` gives the last three
        fields. With their `numbers` the rows need no columns but texts."""
        score = seen if gain is None else gain.to_some(seen, rows["id"].to_pylist())
        rest = np.empty((len(vector), 0), np.float32) if rest is None else rest
        order = np.argsort(-score)
        if (np.diff(score[order]) == 0).any():
            order = np.lexsort((pc.rank(rows["id"]).to_numpy(), -score))
        numbers = numbers_of(rows) if numbers is None else numbers
        return cls(
            texts=texts_in(rows).take(order),
            vector=vector[order],
            rest=rest[order],
            seen=seen[order],
            score=score[order],
            worded=np.zeros(len(order), bool),
            **{name: column[order] for name, column in numbers.items()},
            complete=extent["complete"],
            has_all=bool(extent["has_all"]),
            has_videos=bool(extent["has_videos"]),
        )

    @cached_property
    def id(self) -> list[str]:
        """The ids of the moments."""
        return list(self.texts["id"].to_pylist())

    @cached_property
    def path(self) -> list[str]:
        """The paths of their files."""
        return list(self.texts["path"].to_pylist())

    def texts_of(self, rows: Sequence[int]) -> list[dict[str, str | None]]:
        """The texts of some moments, by their columns."""
        return list(self.texts.take(np.array(rows, np.int64)).to_pylist())

    @property
    def whole(self) -> Float[np.ndarray, "M D"]:
        """The whole vectors as the model made them."""
        return np.concatenate([self.vector, self.rest], axis=1)

    def ordered_by(self, own: Float[np.ndarray, " M"]) -> "Found":
        """These moments in the order of another score than the cosine, as if there were no others.

        What words add is stretched as the spread of the scores is.
        """
        gain = self.score - self.seen
        stretch = own.std() / max(self.seen.std(), 1e-9) if gain.any() else 0.0
        score = own + stretch * gain
        order = np.lexsort((np.array(self.id), -score))
        own, score = own[order], score[order]
        return replace(self._at(order), seen=own, score=score, complete=len(order))

    def those(self, kept: Bool[np.ndarray, " M"]) -> "Found":
        """Some of the moments, as if there were no others; where one of the complete is left out,
        so are all that are missing."""
        seen = not kept[: self.complete].all()
        return replace(
            self._at(np.flatnonzero(kept)),
            complete=int(kept[: self.complete].sum()),
            has_all=self.has_all or seen,
            has_videos=self.has_videos or seen,
        )

    def _at(self, rows: Int[np.ndarray, " R"]) -> "Found":
        arrays = ("video", *NUMBERS, "date", "vector", "rest", "seen", "score", "worded")
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in arrays}
        return replace(self, texts=self.texts.take(rows), **columns)


def texts_in(rows: pa.Table) -> pa.Table:
    """The columns of `Found.texts`."""
    return rows.select([name for name in TEXTS if name in rows.column_names])


def numbers_of(rows: pa.Table) -> Numbers:
    """What `Found` has of rows as numbers, by its fields."""
    taken = [rows[TAKEN]] if TAKEN in rows.column_names else []
    dates = pc.coalesce(*taken, rows["modified"]).cast(pa.int64())
    videos = rows["video"].combine_chunks().dictionary_encode().indices
    plain = {name: rows[name].to_numpy() for name in NUMBERS}
    return {**plain, "date": dates.to_numpy(), "video": videos.to_numpy()}
