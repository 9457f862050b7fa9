"""The eight losses of UniVL as MELTR trains them (2303.13009), in the order of its release.

joint    max margin of cosines of pooled text and pooled video
align    cross-entropy of the cross encoder's scores of all pairs; primary of retrieval
cmlm     hidden words, guessed from the rest and the video
cmfm     hidden frames, picked among all frames of the batch
m_joint, m_align      the first two, from text and video with parts hidden
decoder               the caption, word by word; primary of captioning
m_decoder             the same, from text and video with parts hidden
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from jaxtyping import Bool, Float, Int
from torch import Tensor

from reeltune.models._of_all import of_all
from reeltune.models._univl.network import Network, pooled_text, pooled_video
from reeltune.models._univl.targets import Caption, Hidden
from reeltune.models._univl.towers import Sequence
from reeltune.nn.precise import precise
from reeltune.objectives.captioning import captioning
from reeltune.objectives.masked_frame import masked_frame
from reeltune.objectives.masked_language import masked_language
from reeltune.objectives.matching import matching
from reeltune.objectives.max_margin import max_margin
from reeltune.ranks.ranks import sharing
from reeltune.types import Tokens

Task = Literal["joint", "align", "cmlm", "cmfm", "m_joint", "m_align", "decoder", "m_decoder"]
TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True)
class Scene:
    """A batch as the losses see it; what several of them need is computed once, at first use."""

    network: Network
    text: Tokens
    features: Float[Tensor, "B T F"]
    mask: Bool[Tensor, "B T"]
    caption: Caption
    hide: Callable[[], Hidden]  # draws what is hidden
    video: Int[Tensor, " B"]  # equal where two rows show the same video
    margin: float

    @property
    def first(self) -> int:
        """The place of the first row in the batch that all processes share."""
        return sharing().rank * len(self.video)

    @cached_property
    def read(self) -> tuple[Sequence, Sequence]:
        """Text and video as they are."""
        words = self.network.read_text(self.text.ids, self.text.mask)
        return words, self.network.read_video(self.features, self.mask)

    @cached_property
    def hidden(self) -> Hidden:
        """What the masked losses hide."""
        return self.hide()

    @cached_property
    def read_masked(self) -> tuple[Sequence, Sequence]:
        """Text and video with parts hidden."""
        words = self.network.read_text(self.hidden.words.ids, self.text.mask)
        features = self.features.masked_fill(self.hidden.frames[..., None], 0)
        return words, self.network.read_video(features, self.mask)

    @cached_property
    def fused_masked(self) -> tuple[Tensor, Tensor]:
        """What the cross encoder makes of the masked two: (B, L, D) and (B, T, D)."""
        fused = self.network.cross(*self.read_masked).states
        words = self.text.ids.shape[1]
        return fused[:, :words], fused[:, words:]

    def joint(self, read: tuple[Sequence, Sequence]) -> Tensor:
        every = sharing().gather
        scores = every(pooled_text(read[0])) @ every(pooled_video(read[1])).T
        return max_margin(scores, every(self.video), self.margin)

    def align(self, read: tuple[Sequence, Sequence]) -> Tensor:
        scores = precise(self.network.align(read[0], of_all(read[1])))
        return matching(scores, sharing().gather(self.video), self.first)

    def decode(self, read: tuple[Sequence, Sequence]) -> Tensor:
        seen = self.network.cross(*read)
        logits = self.network.decoder(self.caption.ids, self.caption.mask, seen)
        return captioning(precise(logits), self.caption.following, self.caption.counted)

    def cmlm(self) -> Tensor:
        logits = self.network.cls(self.fused_masked[0])
        return masked_language(precise(logits), self.hidden.words.labels)

    def cmfm(self) -> Tensor:
        guess = self.network.cls_visual(self.fused_masked[1])
        truth = self.network.normalize_video(self.features)
        ranks = sharing()
        truth, mask = ranks.gather_padded(precise(truth)), ranks.gather_padded(self.mask)
        return masked_frame(precise(guess), truth, mask, self.hidden.frames, self.first)


LOSSES: dict[Task, Callable[[Scene], Tensor]] = {
    "joint": lambda scene: scene.joint(scene.read),
    "align": lambda scene: scene.align(scene.read),
    "cmlm": lambda scene: scene.cmlm(),
    "cmfm": lambda scene: scene.cmfm(),
    "m_joint": lambda scene: scene.joint(scene.read_masked),
    "m_align": lambda scene: scene.align(scene.read_masked),
    "decoder": lambda scene: scene.decode(scene.read),
    "m_decoder": lambda scene: scene.decode(scene.read_masked),
}


def task_losses(scene: Scene, wanted: list[str]) -> dict[str, Tensor]:
    """Those of the losses above that are wanted, computed in that order."""
    return {task: LOSSES[task](scene) for task in wanted if task in LOSSES}
