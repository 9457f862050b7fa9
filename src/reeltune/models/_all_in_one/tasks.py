"""The losses of All-in-one (2203.07303) that need no answers.

vtc   contrast of texts and clips that are read apart; primary of retrieval by vectors
itm   does a text belong to a clip, of pairs and of wrong pairs (VTM in 2303.13009); primary of
      retrieval by the score of each pair
mlm   hidden words, guessed from the rest and the clip
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from reeltune.models._all_in_one.network import Network
from reeltune.models._all_in_one.transformer import Clips
from reeltune.models._bert.sequence import Sequence
from reeltune.models._of_all import of_all
from reeltune.nn.precise import precise
from reeltune.objectives.info_nce import info_nce
from reeltune.objectives.masked_language import IGNORED, Masked, masked_language
from reeltune.objectives.wrong_pairs import draw_wrong
from reeltune.ranks.ranks import sharing
from reeltune.types import Tokens

Task = Literal["vtc", "itm", "mlm"]
TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True)
class Scene:
    """A batch as the losses see it; what several of them need is computed once, at first use."""

    network: Network
    tokens: Tokens
    views: Callable[[], Clips]  # embeds the view of each clip
    hide: Callable[[], Masked]  # draws the hidden words
    video: Int[Tensor, " B"]  # equal where two rows show the same video
    temperature: float
    negatives: int

    @cached_property
    def text(self) -> Sequence:
        """Embeddings of the words as they are."""
        return self.network.read_text(self.tokens.ids, self.tokens.mask)

    @cached_property
    def clip(self) -> Clips:
        """The clips as they are."""
        return self.views()

    def vtc(self) -> Tensor:
        """Cross-entropies of texts over clips and of clips over texts, both added, as in the
        release."""
        text, clip = self.network.text_vectors(self.text), self.network.video_vectors(self.clip)
        every = sharing().gather
        with torch.autocast(text.device.type, enabled=False):
            cosines = every(text) @ every(clip).T
            return 2 * info_nce(cosines / self.temperature, every(self.video))

    def itm(self) -> Tensor:
        """Half the mean over right pairs, half the mean over as many wrong ones for each text."""
        right = self._logits(self.text, self.clip)
        ranks = sharing()
        video, every = ranks.gather(self.video), of_all(self.clip)
        texts, clips = draw_wrong(video, self.negatives, own=self.video)
        if bool((video == video[0]).all()):
            return _cross_entropy(right, 1) + 0 * every.states.sum()
        wrong = self._logits(self.text.rows(texts), every.rows(clips))
        return (_cross_entropy(right, 1) + _cross_entropy(wrong, 0)) / 2

    def mlm(self) -> Tensor:
        masked = self.hide()
        words = self.network.read_text(masked.ids, self.tokens.mask)
        guessed = masked.labels != IGNORED
        states = self.network.transformer.fuse(words, self.clip)[guessed]
        logits = self.network.mlm_score(states[None])
        return masked_language(precise(logits), masked.labels[guessed][None])

    def _logits(self, text: Sequence, clip: Clips) -> Float[Tensor, "B 2"]:
        return self.network.itm_score(self.network.summary(text, clip))


def _cross_entropy(logits: Float[Tensor, "B 2"], label: int) -> Float[Tensor, ""]:
    labels = logits.new_full((len(logits),), label).long()
    summed = F.cross_entropy(logits, labels, reduction="sum")
    return sharing().share_of_mean(summed, len(logits))


LOSSES: dict[Task, Callable[[Scene], Tensor]] = {
    "vtc": Scene.vtc,
    "itm": Scene.itm,
    "mlm": Scene.mlm,
}


def scene_losses(scene: Scene, wanted: list[str]) -> dict[str, Tensor]:
    """Those of the losses above that are wanted, computed in that order."""
    return {task: LOSSES[task](scene) for task in wanted if task in LOSSES}
