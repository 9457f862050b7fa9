"""`lite` while its head is tuned; frozen features are computed once and remembered."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from reeltune.models._contrast import batch_losses, contrastive
from reeltune.models.lite import Lite
from reeltune.types import Batch, Tokens


class Remembered(nn.Module):
    """A `Lite` whose head is trainable.

    The frame network and the sentence encoder are frozen and take nearly all of the time, so an
    epoch after the first costs as much as the head alone. A frame's features take 15 kB.
    """

    primary, tasks = "contrastive", ("contrastive",)

    def __init__(self, model: Lite) -> None:
        super().__init__()
        self.lite = model.requires_grad_(False)
        self.lite.head.requires_grad_(True)
        self.name, self.dim, self.pixels = model.name, model.dim, model.pixels
        self._features: dict[bytes, Tensor] = {}
        self._sentences: dict[bytes, Tensor] = {}

    @property
    def logit_scale(self) -> Tensor:
        return self.lite.head.logit_scale

    @property
    def fingerprint(self) -> str:
        return self.lite.fingerprint

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        return self.lite.tokenize(texts)

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        keys = [_name(ids[mask]) for ids, mask in zip(tokens.ids, tokens.mask, strict=True)]
        new = [i for i, key in enumerate(keys) if key not in self._sentences]
        if new:
            with torch.no_grad():
                made = self.lite.sentences(tokens.ids[new], tokens.mask[new])
            self._sentences |= dict(zip((keys[i] for i in new), made, strict=True))
        sentences = torch.stack([self._sentences[key] for key in keys])
        return self.lite.beside(self.lite.head.text(sentences), sentences)

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        real = frames[mask]  # (R, 3, S, S)
        keys = [_name(frame) for frame in real]
        new = [i for i, key in enumerate(keys) if key not in self._features]
        if new:
            made = self.lite.encode_frames(real[new])
            self._features |= dict(zip((keys[i] for i in new), made, strict=True))
        rows = torch.stack([self._features[key] for key in keys])
        features = rows.new_zeros(*mask.shape, rows.shape[1])  # (B, T, F)
        features[mask] = rows
        return self.lite.pool_frames(features, mask)

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        return self.lite.similarity(text, video)

    def vector_losses(
        self, text: Float[Tensor, "B D"], video: Float[Tensor, "B D"], group: Int[Tensor, " B"]
    ) -> dict[str, Tensor]:
        """`contrastive`: symmetric InfoNCE at the temperature of the head."""
        return contrastive(self, text, video, group)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of the vectors of a batch."""
        return batch_losses(self, batch)

    def save_pretrained(self, folder: Path | str) -> None:
        self.lite.save_pretrained(folder)


def _name(values: Tensor) -> bytes:
    """A short name for the content of a tensor."""
    return hashlib.blake2b(values.contiguous().numpy().data, digest_size=16).digest()
