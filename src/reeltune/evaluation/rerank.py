"""Re-ranking: the best candidates by one kind of score are scored again by another."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from reeltune.batches.loader import ClipReader
from reeltune.errors import ConfigError, counted
from reeltune.types import DualEncoder, Split


@dataclass(frozen=True)
class Chooser:
    """A model whose vectors choose the candidates, and what it reads."""

    model: DualEncoder
    reader: ClipReader


@dataclass(frozen=True)
class Rerank:
    """A wish for figures in which only the best candidates of each text are scored by pairs."""

    top: int  # K, candidates of each text
    alone: bool = False  # no other pairs are scored, so there are no figures of all pairs
    by: str | None = None  # name of the model whose vectors choose them; None: the judged one
    chooser: Chooser | None = None  # that model, once it is open

    def __post_init__(self) -> None:
        if self.top < 1:
            raise ConfigError(
                f"--rerank {self.top} leaves no candidate; give the number of videos of each "
                "caption that are scored again, such as --rerank 100"
            )

    def by_vectors(self, model: object, reader: ClipReader) -> Chooser:
        """What chooses the candidates of the judged model.

        Errors: `ConfigError` where neither it nor another has vectors.
        """
        if self.chooser is not None:
            return self.chooser
        return Chooser(self.require_vectors(model), reader)

    def require_vectors(self, model: object) -> DualEncoder:
        """The model; raises ConfigError where its vectors are to choose and it has none."""
        if not isinstance(model, DualEncoder):
            name = getattr(model, "name", type(model).__name__)
            raise ConfigError(
                f"{name} has no vectors of texts and of videos by which --rerank {self.top} could "
                "choose candidates; name a model that has by --by, such as --by tiny-clip"
            )
        return model

    def require_fewer(self, split: Split) -> None:
        """Raise ConfigError where there are not as many videos as candidates are asked for."""
        if self.top > split.videos:
            raise ConfigError(
                f"--rerank {self.top} asks for the best {self.top} of "
                f"{counted(split.videos, 'video')}; give a number from 1 to {split.videos}"
            )


def rerank_asked(top: int | None, by: str | None, alone: bool) -> Rerank | None:
    """The wish that --rerank, --by and --alone say; raises ConfigError where the first is absent
    and another is there."""
    if top is not None:
        return Rerank(top, alone, by)
    if by is not None or alone:
        given = "--alone" if by is None else f"--by {by}"
        raise ConfigError(
            f"{given} says how candidates are scored again, and none are; give --rerank 100 too"
        )
    return None


def best(near: Float[np.ndarray, "Q N"], top: int) -> Int[np.ndarray, "Q K"]:
    """Columns of the `top` highest scores of each row, best first; of tied ones the first."""
    return np.argsort(-near, axis=1, kind="stable")[:, :top]


def reranked(
    near: Float[np.ndarray, "Q N"],
    columns: Int[np.ndarray, "Q K"],
    found: Float[np.ndarray, "Q K"],
) -> Float[np.ndarray, "Q N"]:
    """Scores in which the candidates of each row have those `found`, all others stand below.

    The others keep their order by `near`, in rows and in columns. A column's candidates are the
    rows that have it among theirs, so both directions are read from one matrix. Double precision:
    the others are `near` less a constant, whose rounding must make no ties.
    """
    scores = near.astype(np.float64)
    scores += float(found.min()) - float(near.max()) - 1.0
    np.put_along_axis(scores, columns, found.astype(np.float64), axis=1)
    return scores
