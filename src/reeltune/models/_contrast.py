"""The loss of models that put texts and videos in one space."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from reeltune.objectives.info_nce import info_nce
from reeltune.types import Batch, Tokens

HIGHEST_SCALE = 4.6052  # log 100, where CLIP stops


@runtime_checkable
class Contrasted(Protocol):
    """A dual encoder with a temperature."""

    @property
    def logit_scale(self) -> Tensor: ...

    def encode_text(self, tokens: Tokens) -> Tensor: ...

    def encode_video(self, frames: Tensor, mask: Tensor) -> Tensor: ...

    def similarity(self, text: Tensor, video: Tensor) -> Tensor: ...


def vector_losses(
    model: Contrasted,
    text: Float[Tensor, "B D"],
    video: Float[Tensor, "B D"],
    group: Int[Tensor, " B"],
) -> dict[str, Tensor]:
    """Losses of vectors that are there already; rows of one `group` show the same video."""
    scale = model.logit_scale.float().clamp(max=HIGHEST_SCALE).exp()
    return {"contrastive": info_nce(scale * model.similarity(text, video), group)}


def batch_losses(model: Contrasted, batch: Batch) -> dict[str, Tensor]:
    """Losses of a batch, by name."""
    text = model.encode_text(batch.tokens)
    video = model.encode_video(batch.frames, batch.mask)
    return vector_losses(model, text, video, batch.video.to(text.device))
