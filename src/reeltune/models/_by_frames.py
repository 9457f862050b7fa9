"""What models share that make a vector of each frame alone, and pool a video's.

A frame's vector has unit length. A video's vector is the mean of its frames' vectors, brought to
unit length again: without the second step a video's score would grow with how alike its frames
are, which favours still clips (CLIP4Clip, 2104.08860). The score of a text and a video is the
cosine.
"""

from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from reeltune.errors import DataError
from reeltune.models._frames_there import require_frames
from reeltune.models._preprocessor import Preprocessor
from reeltune.models.opening.towers import quiet
from reeltune.models.opening.weights import WEIGHTS, fingerprint, versions, write_card
from reeltune.storage.tensors import write_tensors

GPU_TIMES = 8  # as many more frames at once on a GPU, which smaller batches leave idle


class ByFrames(nn.Module):
    """A `FrameEncoder` around networks of transformers, which stay reachable as `towers`."""

    mean: Tensor
    std: Tensor
    dim: int  # D
    frames_at_once: int  # bounds the memory of one pass

    def __init__(
        self, towers: PreTrainedModel, tokenizer: Any, preprocessor: Preprocessor, name: str
    ):
        super().__init__()
        self.towers = towers
        self.tokenizer = tokenizer
        self.preprocessor = preprocessor
        self.name = name
        self.family: str = towers.config.model_type
        self.pixels = preprocessor.pixels
        self.unit_videos = True  # whether a mean of frames is brought to unit length
        self._stored: tuple[int, str] | None = None  # versions of the weights, their fingerprint
        for key in ("mean", "std"):
            colour = torch.tensor(getattr(preprocessor, key), dtype=torch.float32)
            self.register_buffer(key, colour.view(3, 1, 1), persistent=False)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the weights as stored, whatever the precision in which they run; once
        weights have been changed in place, it is that of the weights as they are."""
        if self._stored is None or self._stored[0] != versions(self):
            self._stored = (versions(self), self._hash())
        return self._stored[1]

    def _hash(self) -> str:
        return fingerprint(self.towers.state_dict(), self.facts())

    def facts(self) -> dict[str, object]:
        """What shapes a vector beside the weights, for the fingerprint."""
        return {
            "model": self.family,
            "pixels": self.preprocessor.facts(),
            "tokens": sorted(self.tokenizer.get_vocab().items()),
        }

    def move(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Place the towers; the fingerprint stays that of the weights before rounding."""
        _ = self.fingerprint
        stored = self._stored
        self.to(device)
        # What is made and not stored, such as the angles of RoPE, stays as it is made, in float32.
        for weight in self.towers.state_dict(keep_vars=True).values():
            weight.data = weight.data.to(dtype) if weight.is_floating_point() else weight.data
        self._stored = stored and (versions(self), stored[1])
        return self

    def vectors_of(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """Vectors of a few frames, of whatever length and precision."""
        raise NotImplementedError

    def encode_frames(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """Unit vectors in float32, on the model's device."""
        self._require_pixels(frames)
        if len(frames) == 0:
            return self.mean.new_zeros(0, self.dim)
        at_once = self.frames_at_once * (GPU_TIMES if self.mean.is_cuda else 1)
        return torch.cat([unit(self.vectors_of(some)) for some in torch.split(frames, at_once)])

    def normalize(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B 3 S S"]:
        """Colours as the towers were trained on them, in float32, on the model's device."""
        return (frames.to(self.mean.device).float() / 255 - self.mean) / self.std

    def _require_pixels(self, frames: Tensor) -> None:
        size = self.pixels.size
        if frames.dtype != torch.uint8 or tuple(frames.shape[1:]) != (3, size, size):
            raise DataError(
                f"frames are {frames.dtype} {tuple(frames.shape)}, and {self.name} reads "
                f"torch.uint8 (B, 3, {size}, {size}); decode them with the model's own `pixels`"
            )

    def pool_frames(
        self, features: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Mean over the real frames, brought to unit length where `unit_videos` says so."""
        require_frames(mask)
        kept = features.masked_fill(~mask[..., None], 0)  # (B, T, D)
        mean = kept.sum(dim=1) / mask.sum(dim=1, keepdim=True).to(features)  # (B, D)
        return unit(mean) if self.unit_videos else mean.float()

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """`pool_frames` of `encode_frames`; frames that the mask hides are not computed."""
        mask = mask.to(self.mean.device)
        real = self.encode_frames(frames[mask.to(frames.device)])  # (frames in all, D)
        features = real.new_zeros(*mask.shape, self.dim)  # (B, T, D)
        features[mask] = real
        return self.pool_frames(features, mask)

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Cosines: both sides have unit length."""
        return text @ video.T

    def write_networks(self, folder: Path, component: str, **told: object) -> None:
        """Write the networks and the tokenizer, and a card that names the component and what else
        is `told` of it."""
        settings = self.towers.config
        settings.architectures = [type(self.towers).__name__]
        with quiet():
            settings.save_pretrained(folder)
        write_tensors(folder / WEIGHTS, self.towers.state_dict(), {"format": "pt"})
        self.tokenizer.save_pretrained(folder)
        write_card(folder, component, told)


def unit(vectors: Tensor) -> Tensor:
    """Vectors brought to length 1, in float32."""
    return F.normalize(vectors.float(), dim=-1)
