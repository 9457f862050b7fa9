"""An exported model as torch asks it, so that it can be evaluated like the one it was made of."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from reeltune.models._frames_there import require_frames
from reeltune.models.exported.towers import Exported
from reeltune.types import Tokens


class ExportedByTorch:
    """A `FrameEncoder` on the CPU."""

    def __init__(self, towers: Exported) -> None:
        self.towers, self.name = towers, towers.name
        self.dim, self.pixels = towers.dim, towers.pixels
        self.fingerprint = towers.fingerprint

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Tokens of texts, padded to the longest."""
        read = self.towers.read(texts)
        return Tokens(
            ids=torch.from_numpy(read.ids),
            mask=torch.from_numpy(read.mask == 1),
            known=torch.from_numpy(read.known),
            cut=torch.from_numpy(read.cut),
        )

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        """Unit vectors of texts."""
        ids, mask = tokens.ids.numpy(), tokens.mask.numpy().astype(np.int64)
        return torch.from_numpy(self.towers.text_vectors(ids, mask))

    def encode_frames(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """Rows of frames, whose means clips are made of."""
        return torch.from_numpy(self.towers.frame_vectors(frames.numpy()))

    def pool_frames(
        self, features: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Vectors of clips from the rows of their frames."""
        require_frames(mask)
        pairs = zip(features.numpy(), mask.numpy(), strict=True)
        return torch.from_numpy(self.towers.clips([list(rows[there]) for rows, there in pairs]))

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """`pool_frames` of `encode_frames`; frames that the mask hides are not computed."""
        real = self.encode_frames(frames[mask])
        features = real.new_zeros(*mask.shape, self.dim)
        features[mask] = real
        return self.pool_frames(features, mask)

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Inner products."""
        return text @ video.T
