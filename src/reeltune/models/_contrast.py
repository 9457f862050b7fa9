"""The losses of models that put texts and videos in one space."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from reeltune.objectives.contrastive.info_nce import scaled
from reeltune.objectives.objective import Objective
from reeltune.types import Batch, Contrasted

HIGHEST_SCALE = 4.6052  # log 100, where CLIP stops


def contrastive(
    model: Contrasted,
    text: Float[Tensor, "B D"],
    video: Float[Tensor, "B D"],
    group: Int[Tensor, " B"],
    objective: Objective = scaled,
) -> dict[str, Tensor]:
    """`contrastive`: the objective at the model's temperature, never in bfloat16, in which cosines
    a hundredfold are steps of a half."""
    scale = model.logit_scale.float().clamp(max=HIGHEST_SCALE).exp()
    text, video = (one.to(torch.promote_types(one.dtype, torch.float32)) for one in (text, video))
    with torch.autocast(text.device.type, enabled=False):
        return {"contrastive": objective(model.similarity(text, video), scale, group)}


def batch_losses(model: Contrasted, batch: Batch) -> dict[str, Tensor]:
    """Losses of a batch, by name."""
    text = model.encode_text(batch.tokens)
    video = model.encode_video(batch.frames, batch.mask)
    return model.vector_losses(text, video, batch.video.to(text.device))
