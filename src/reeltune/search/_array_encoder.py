"""A library's model, as arrays ask it, whatever computes them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from jaxtyping import Float, UInt8

from reeltune.records import Pixels

if TYPE_CHECKING:
    from reeltune.types import DualEncoder

Row = Any  # what a model makes of one frame, or the frame itself, which `clips` wants


class ArrayEncoder(Protocol):
    """Makes vectors of texts and clips; those of a clip may be made of its frames one by one."""

    name: str
    dim: int  # D
    indexed: int  # columns of a vector that are indexed, from the first on
    pixels: Pixels
    widths: tuple[int, ...]  # to which vectors may be cut; none where they may not
    option: str  # by which a command makes vectors of this width; empty for whole ones

    @property
    def fingerprint(self) -> str:
        """It changes when weights or preprocessing change."""
        ...

    @property
    def model(self) -> "DualEncoder":
        """The model, as torch asks it."""
        ...

    def texts(self, texts: Sequence[str]) -> Float[np.ndarray, "N D"]:
        """Vectors of texts."""
        ...

    def rows(self, frames: UInt8[np.ndarray, "B 3 S S"]) -> Sequence[Row]:
        """What `clips` wants of each frame."""
        ...

    def clips(self, clips: Sequence[Sequence[Row]]) -> Float[np.ndarray, "N D"]:
        """Vectors of clips, each of the rows of its frames."""
        ...

    def try_a_picture(self) -> None:
        """Encode a picture and score it, so that a model that cannot says so."""
        ...
