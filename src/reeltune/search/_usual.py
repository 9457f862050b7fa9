"""What scores of texts and pictures are usual: those of what has nothing to do with each other."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float, Shaped
from pydantic import Field

from reeltune.search._array_encoder import ArrayEncoder
from reeltune.search.background import captions


@dataclass(frozen=True)
class Usual:
    """Similarities of pictures, or of moments, with what they have nothing to do with."""

    texts: float  # mean cosine with captions
    spread: Annotated[float, Field(gt=0)]  # standard deviation of those
    pictures: Annotated[float, Field(lt=1)]  # mean cosine with other pictures, or other videos

    def halfway_to(self, other: "Usual") -> "Usual":
        """The means of two.

        A library's own figures are wrong where it is like the captions, as one full of cooking is
        like those of cooking; a model's where it is surer of some places than of others. Halfway
        was better than either for each of three models (docs/measured/search.md).
        """
        return Usual(
            texts=(self.texts + other.texts) / 2,
            spread=(self.spread + other.spread) / 2,
            pictures=(self.pictures + other.pictures) / 2,
        )


class Baseline:
    """Cosines of moments with the background captions, by the columns that are indexed."""

    def __init__(self, texts: Float[np.ndarray, "Q D"]) -> None:
        self._texts = texts

    @classmethod
    def of_model(cls, model: ArrayEncoder) -> "Baseline":
        """Encode the captions once."""
        return cls(model.texts(captions())[:, : model.indexed])

    def of(
        self, vectors: Float[np.ndarray, "N D"]
    ) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
        """Mean and standard deviation over the captions, for each moment."""
        compared = vectors[:, : self._texts.shape[1]].astype(np.float32)
        scores = compared @ self._texts.T.astype(np.float32)  # (N, Q)
        return scores.mean(axis=1), np.maximum(scores.std(axis=1), 1e-6)


def usual(
    mean: Float[np.ndarray, " N"],
    std: Float[np.ndarray, " N"],
    some: Float[np.ndarray, "M D"],
    video: Shaped[np.ndarray, " M"],
) -> Usual:
    """The usual similarities of moments, from the baselines of all and a sample of their vectors,
    each with the video that it is from."""
    if not len(mean):
        return Usual(0.0, 1.0, 0.0)
    apart = video[:, None] != video  # (M, M)
    cosines = (some @ some.T)[apart]
    spread = float(np.sqrt(np.mean(np.square(std, dtype=np.float64))))
    return Usual(
        texts=float(mean.mean(dtype=np.float64)),
        spread=max(spread, 1e-6),
        pictures=float(np.clip(cosines.mean(), 0, 0.99)) if len(cosines) else 0.0,
    )
