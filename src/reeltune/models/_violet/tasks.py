"""The losses of Violet that need no answers, as MELTR trains them (2303.13009).

vtm    each video's own text among all texts of the batch; primary of retrieval
mtm    hidden words, guessed from the rest and the video
mvm    visual tokens of covered places, guessed from the rest and the text

The first reads clips and texts as they are; the other two share a pass over clips with covered
places and texts with hidden words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from reeltune.models._bert.sequence import Sequence
from reeltune.models._of_all import of_all
from reeltune.models._violet.masking import (
    Chosen,
    Kept,
    choose_by_attention,
    choose_words,
    cover,
    hide,
    mask_blocks,
)
from reeltune.models._violet.network import Network
from reeltune.nn.precise import precise
from reeltune.objectives.masked_language import Masked, masked_language
from reeltune.objectives.matching import matching
from reeltune.ranks.ranks import sharing
from reeltune.types import Tokens

Task = Literal["vtm", "mtm", "mvm"]
TASKS: tuple[Task, ...] = get_args(Task)


@runtime_checkable
class Tokenizer(Protocol):
    """Makes visual tokens, one for each of `side` by `side` places of a frame."""

    def tokens(self, frames: UInt8[Tensor, "B 3 S S"], side: int) -> Int[Tensor, "B P"]: ...


@dataclass(frozen=True)
class Hiding:
    """How parts of a batch are hidden and what guesses are held against."""

    word: int  # the token that stands for a hidden word
    chance: float  # of a word to be hidden
    attended: float  # chance of a row that what is looked at most is hidden
    side: int  # places of a frame's side
    tokenizer: Callable[[], Tokenizer]
    kept: Kept


@dataclass(frozen=True)
class Scene:
    """A batch as the losses see it; what several of them need is computed once, at first use."""

    network: Network
    text: Tokens
    clips: UInt8[Tensor, "B T 3 S S"]
    seen: Bool[Tensor, "B T"]
    video: Int[Tensor, " B"]  # equal where two rows show the same video
    temperature: float
    hiding: Hiding

    @cached_property
    def read(self) -> Sequence:
        """The clips as they are."""
        return self.network.read_video(self.clips, self.seen)

    @cached_property
    def chosen(self) -> Chosen:
        """Words and places that are hidden."""
        draw = torch.get_rng_state().numpy().tobytes() + self.text.ids.cpu().numpy().tobytes()
        words = choose_words(self.text, self.hiding.chance)
        places = mask_blocks(self.seen, self.hiding.side)
        if not self.hiding.attended:
            return words, places
        rows = (torch.rand(len(words)) < self.hiding.attended).to(words.device)
        looked = self._by_attention()
        words = torch.where(rows[:, None], looked[0], words)
        places = torch.where(rows[:, None, None, None], looked[1].view(places.shape), places)
        return self.hiding.kept.first(draw, (words, places))

    def _by_attention(self) -> tuple[Bool[Tensor, "B L"], Bool[Tensor, "B T P"]]:
        text = self.network.read_text(self.text.ids, self.text.mask)
        words, places = self.network.looked_at(text, self.read)
        frames = places.unflatten(1, (self.seen.shape[1], -1))
        return choose_by_attention(words, frames, self.text, self.seen, self.hiding.chance)

    @property
    def covered(self) -> Bool[Tensor, "B T H W"]:
        return self.chosen[1]

    @cached_property
    def hidden(self) -> Masked:
        return hide(self.text, self.chosen[0], self.hiding.word)

    @cached_property
    def fused(self) -> tuple[Float[Tensor, "B L D"], Float[Tensor, "B T P1 D"]]:
        """States of texts and of frames with parts hidden."""
        words = self.network.read_text(self.hidden.ids, self.text.mask)
        frames = self.network.read_video(cover(self.clips, self.covered), self.seen)
        of_words, of_frames = self.network.fuse(words, frames)
        return of_words, of_frames.unflatten(1, (self.seen.shape[1], -1))

    def vtm(self) -> Tensor:
        text = self.network.read_text(self.text.ids, self.text.mask)
        scores = precise(self.network.align(of_all(text), self.read)) / self.temperature
        ranks = sharing()
        return matching(scores.T, ranks.gather(self.video), ranks.rank * len(self.video))

    def mtm(self) -> Tensor:
        return masked_language(precise(self.network.fc_mtm(self.fused[0])), self.hidden.labels)

    def mvm(self) -> Tensor:
        states = self.fused[1][:, :, 1:]  # (B, T, P, D), without those for whole frames
        guess = self.network.fc_mvm(states[self.covered.flatten(2)])
        tokens = self._tokens()[self.covered.flatten(2)]
        summed = F.cross_entropy(precise(guess), tokens, reduction="sum")
        return sharing().share_of_mean(summed, len(tokens))

    def _tokens(self) -> Int[Tensor, "B T P"]:
        """The tokens of all places as they are."""
        made = self.hiding.tokenizer().tokens(self.clips.flatten(0, 1), self.hiding.side)
        return made.unflatten(0, self.clips.shape[:2]).to(self.seen.device)


LOSSES: dict[Task, Callable[[Scene], Tensor]] = {
    "vtm": Scene.vtm,
    "mtm": Scene.mtm,
    "mvm": Scene.mvm,
}


def task_losses(scene: Scene, wanted: list[str]) -> dict[str, Tensor]:
    """Those of the losses above that are wanted, computed in that order."""
    return {task: LOSSES[task](scene) for task in wanted if task in LOSSES}
