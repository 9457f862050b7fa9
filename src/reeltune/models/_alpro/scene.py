"""The losses of ALPRO (2112.09583), which MELTR melts beside that of questions (2303.13009).

vtc   symmetric InfoNCE of vectors of texts and of clips
vtm   does a text belong to a clip, of pairs and of hard wrong pairs; primary of retrieval
mlm   hidden words, guessed from the rest and the clip
pem   which entities a part of the picture shows, as a frozen prompter says of that part alone
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from reeltune.models._alpro.network import Network
from reeltune.models._alpro.settings import Task
from reeltune.models._bert.sequence import Sequence
from reeltune.models._of_all import of_all
from reeltune.nn.precise import precise
from reeltune.objectives.hard_negatives import NONE, draw_hard_negatives
from reeltune.objectives.info_nce import info_nce
from reeltune.objectives.masked_language import IGNORED, Masked, masked_language
from reeltune.objectives.soft_labels import soft_labels
from reeltune.ranks.ranks import sharing
from reeltune.types import Tokens


@dataclass(frozen=True)
class Crops:
    """Parts of the picture, true inside, and the chance of each entity in what they show."""

    inside: Bool[Tensor, "B P"]
    chances: Float[Tensor, "B E"]


@dataclass(frozen=True)
class Scene:
    """A batch as the losses see it; what several of them need is computed once, at first use."""

    network: Network
    tokens: Tokens
    clip: Sequence
    hide: Callable[[], Masked]  # draws the hidden words
    crop: Callable[[], Crops]  # draws the crops
    video: Int[Tensor, " B"]  # equal where two rows show the same video
    confident: float

    @cached_property
    def text(self) -> Sequence:
        """Embeddings of the words as they are."""
        return self.network.read_text(self.tokens.ids, self.tokens.mask)

    @cached_property
    def every(self) -> Int[Tensor, " N"]:
        """The videos of all processes that share the batch."""
        return sharing().gather(self.video)

    @cached_property
    def logits(self) -> Float[Tensor, "N N"]:
        """Cosines of their texts and clips over the temperature, never in bfloat16."""
        text, clip = self.network.text_vectors(self.text), self.network.video_vectors(self.clip)
        with torch.autocast(clip.device.type, enabled=False):
            cosines = sharing().gather(text) @ sharing().gather(clip).T
            return cosines / self.network.temperature

    @cached_property
    def fused(self) -> Float[Tensor, "B LV D"]:
        """States of each text with its own clip."""
        return self.network.text_encoder.fuse(self.text, self.clip)

    def vtc(self) -> Tensor:
        return info_nce(self.logits, self.every)

    def vtm(self) -> Tensor:
        """Mean cross-entropy over 3B pairs: those of the batch, each text with a wrong clip, and
        each clip with a wrong text."""
        count = torch.arange(len(self.video), device=self.video.device)
        first = sharing().rank * len(count)
        own = first + count
        clips = draw_hard_negatives(self.logits[own], self.every, first=first)
        texts = draw_hard_negatives(self.logits.T[own], self.every, first=first)
        has_clip, has_text = clips != NONE, texts != NONE
        wrong = self.network.text_encoder.fuse_first(
            of_all(self.text).rows(torch.cat([own[has_clip], texts[has_text]])),
            of_all(self.clip).rows(torch.cat([clips[has_clip], own[has_text]])),
        )
        scores = self.network.matching(torch.cat([self.fused[:, 0], wrong]))
        belongs = (torch.arange(len(scores), device=scores.device) < len(count)).long()
        summed = F.cross_entropy(scores, belongs, reduction="sum")
        return sharing().share_of_mean(summed, len(scores))

    def mlm(self) -> Tensor:
        masked = self.hide()
        words = self.network.read_text(masked.ids, self.tokens.mask)
        states = self.network.text_encoder.fuse(words, self.clip)[:, : words.mask.shape[1]]
        guessed = masked.labels != IGNORED
        logits = self.network.text_encoder.cls(states[guessed][None])
        return masked_language(precise(logits), masked.labels[guessed][None])

    def pem(self) -> Tensor:
        """Soft cross-entropy of entities, guessed from the mean fused state inside each crop."""
        crops = self.crop()
        patches = self.fused[:, self.text.mask.shape[1] + 1 :]  # behind the summary token
        inside = crops.inside[..., None].to(patches)
        logits = self.network.get_submodule("mpm_head")((patches * inside).sum(1) / inside.sum(1))
        return soft_labels(precise(logits), crops.chances, self.confident)


LOSSES: dict[Task, Callable[[Scene], Tensor]] = {
    "vtc": Scene.vtc,
    "vtm": Scene.vtm,
    "mlm": Scene.mlm,
    "pem": Scene.pem,
}


def scene_losses(scene: Scene, wanted: list[str]) -> dict[str, Tensor]:
    """Those of the losses above that are wanted, computed in that order."""
    return {task: LOSSES[task](scene) for task in wanted if task in LOSSES}
