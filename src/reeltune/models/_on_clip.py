"""What models around a CLIP, some of whose weights are trained, have alike."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reeltune.models.clip import Clip
from reeltune.models.opening.weights import fingerprint, versions
from reeltune.types import Tokens


class OnClip(nn.Module):
    """Reads texts as its CLIP, `clip`, does; a model says which weights training changes."""

    primary, tasks = "contrastive", ("contrastive",)
    config: Any  # a `Based`
    clip: Clip

    def __init__(self, base: Clip) -> None:
        super().__init__()
        has_weights = not base.mean.is_meta  # one that is only counted has shapes alone
        self._base_fingerprint = base.fingerprint if has_weights else ""
        self._known: tuple[int, str] | None = None  # versions of the weights, their fingerprint

    def trained(self) -> dict[str, Tensor]:
        """Weights that training changes, by name."""
        raise NotImplementedError

    def _facts(self) -> dict[str, object]:
        """Settings that decide the vectors, beside the weights."""
        raise NotImplementedError

    @property
    def logit_scale(self) -> Tensor:
        """The logarithm of the inverse temperature of its CLIP."""
        return self.clip.logit_scale

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the weights as stored, until they are changed, as in
        `Clip.fingerprint`."""
        if self._known is None or self._known[0] != versions(self):
            facts = self._facts() | {"base": self._base_fingerprint if self.config.base else ""}
            facts |= {"compat": self.config.compat} if self.config.compat else {}
            self._known = (versions(self), fingerprint(self._stored(), facts))
        return self._known[1]

    def move(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Place the towers and what was put into them; the fingerprint stays as it is."""
        stored = self.fingerprint
        self.to(device)
        self.clip.towers.to(dtype)
        self._known = (versions(self), stored)
        return self

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        return self.clip.tokenize(texts)

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        return self.clip.encode_text(tokens)

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Inner products: cosines, but for `compat`, where a video's vector is a plain mean."""
        return self.clip.similarity(text, video)

    def _stored(self) -> dict[str, Tensor]:
        return self.trained() if self.config.base else dict(self.named_parameters())
