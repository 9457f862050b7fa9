"""The losses of models that put texts and videos in one space."""

from typing import Protocol, TypeGuard, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from reeltune.objectives.info_nce import info_nce
from reeltune.types import Batch, Tokens

HIGHEST_SCALE = 4.6052  # log 100, where CLIP stops


@runtime_checkable
class Contrasted(Protocol):
    """A dual encoder with a temperature, all of whose losses are functions of its vectors.

    `vector_losses` has the losses of `losses`, under the same names, of vectors that are there
    already: rows of one `group` show the same video. A model with a further loss of vectors adds
    it there; one with any other further loss has no `vector_losses`, or sets it to None.
    """

    @property
    def logit_scale(self) -> Tensor: ...

    def encode_text(self, tokens: Tokens) -> Tensor: ...

    def encode_video(self, frames: Tensor, mask: Tensor) -> Tensor: ...

    def similarity(self, text: Tensor, video: Tensor) -> Tensor: ...

    def vector_losses(self, text: Tensor, video: Tensor, group: Tensor) -> dict[str, Tensor]: ...

    def losses(self, batch: Batch) -> dict[str, Tensor]: ...


def is_contrasted(model: object) -> TypeGuard[Contrasted]:
    """Whether vectors are all that the losses of a model need.

    A subclass that overrides `losses` alone has losses that its `vector_losses` does not know.
    """
    if not isinstance(model, Contrasted):
        return False
    order = type(model).__mro__
    first = [
        next((place for place, one in enumerate(order) if name in vars(one)), len(order))
        for name in ("vector_losses", "losses")
    ]
    return first[0] <= first[1]


def contrastive(
    model: Contrasted,
    text: Float[Tensor, "B D"],
    video: Float[Tensor, "B D"],
    group: Int[Tensor, " B"],
) -> dict[str, Tensor]:
    """`contrastive`: symmetric InfoNCE at the model's temperature, never in bfloat16, in which
    cosines a hundredfold are steps of a half."""
    scale = model.logit_scale.float().clamp(max=HIGHEST_SCALE).exp()
    text, video = (one.to(torch.promote_types(one.dtype, torch.float32)) for one in (text, video))
    with torch.autocast(text.device.type, enabled=False):
        return {"contrastive": info_nce(scale * model.similarity(text, video), group)}


def batch_losses(model: Contrasted, batch: Batch) -> dict[str, Tensor]:
    """Losses of a batch, by name."""
    text = model.encode_text(batch.tokens)
    video = model.encode_video(batch.frames, batch.mask)
    return model.vector_losses(text, video, batch.video.to(text.device))
