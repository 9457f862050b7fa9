"""The losses of models that put texts and videos in one space."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from reeltune.nn.precise import precise
from reeltune.objectives.contrastive.info_nce import scaled
from reeltune.objectives.objective import Objective
from reeltune.ranks.ranks import sharing
from reeltune.types import Batch, Contrasted

HIGHEST_SCALE = 4.6052  # log 100, where CLIP stops


def contrastive(
    model: Contrasted,
    text: Float[Tensor, "B D"],
    video: Float[Tensor, "B D"],
    group: Int[Tensor, " B"],
    objective: Objective = scaled,
) -> dict[str, Tensor]:
    """`contrastive`: the objective at the model's temperature."""
    return {"contrastive": by_cosines(model, text, video, group, objective)}


def by_cosines(
    model: Contrasted,
    text: Float[Tensor, "B D"],
    video: Float[Tensor, "B D"],
    group: Int[Tensor, " B"],
    objective: Objective,
) -> Float[Tensor, ""]:
    """The objective at the model's temperature, never in bfloat16, in which cosines a hundredfold
    are steps of a half."""
    text, video = precise(text), precise(video)
    with torch.autocast(text.device.type, enabled=False):
        return objective(model.similarity(text, video), scale_of(model), group)


def scale_of(model: Contrasted) -> Float[Tensor, ""]:
    """The model's inverse temperature, at most 100; a SigLIP stores it as one row."""
    return model.logit_scale.float().clamp(max=HIGHEST_SCALE).exp().squeeze()


def batch_losses(model: Contrasted, batch: Batch) -> dict[str, Tensor]:
    """Losses of a batch, by name; those of all processes that share it."""
    text = model.encode_text(batch.tokens)
    video = model.encode_video(batch.frames, batch.mask)
    group = batch.video.to(text.device)
    return model.vector_losses(*map(sharing().gather, (text, video, group)))
