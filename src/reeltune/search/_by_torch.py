"""What a library's model does by torch: it is opened, and encodes texts and clips."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from reeltune.models.opening.open import open_encoder
from reeltune.models.opening.width import cut_as_stored, cut_to, option_of
from reeltune.search._rescore import indexed_columns
from reeltune.search.background import shown
from reeltune.types import DualEncoder, FrameEncoder, Pixels

AT_ONCE = 256  # texts encoded together, to bound memory


class ByTorch:
    """A dual encoder as arrays ask it; rows of frames are tensors."""

    def __init__(self, model: DualEncoder) -> None:
        self.model = model
        self.name, self.dim, self.pixels = model.name, model.dim, model.pixels
        self.indexed = indexed_columns(model)
        self.widths: tuple[int, ...] = getattr(model, "widths", ())
        self.option = option_of(model)

    @property
    def fingerprint(self) -> str:
        """That of the model."""
        return self.model.fingerprint

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Float[np.ndarray, "N D"]:
        """Vectors of texts."""
        parts = [np.empty((0, self.dim), np.float32)]
        for at in range(0, len(texts), AT_ONCE):
            tokens = self.model.tokenize(texts[at : at + AT_ONCE])
            parts.append(self.model.encode_text(tokens).float().cpu().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def rows(self, frames: UInt8[np.ndarray, "B 3 S S"]) -> list[Tensor]:
        """Features of frames, where the model reads frames alone; else the frames."""
        taken = torch.from_numpy(frames)
        if isinstance(self.model, FrameEncoder):
            taken = self.model.encode_frames(taken)  # (B, F)
        return [row.cpu().clone() for row in taken]

    @torch.inference_mode()
    def clips(self, clips: Sequence[Sequence[Tensor]]) -> Float[np.ndarray, "N D"]:
        """Vectors of clips."""
        padded = pad_sequence([torch.stack(list(rows)) for rows in clips], batch_first=True)
        lengths = torch.tensor([len(rows) for rows in clips])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]  # (B, T)
        if isinstance(self.model, FrameEncoder):
            return self.model.pool_frames(padded, mask).float().cpu().numpy()
        return self.model.encode_video(padded, mask).float().cpu().numpy()

    @torch.inference_mode()
    def try_a_picture(self) -> None:
        """Encode a picture and score it."""
        side = self.pixels.size
        picture = torch.zeros(1, 1, 3, side, side, dtype=torch.uint8)
        video = self.model.encode_video(picture, torch.ones(1, 1, dtype=torch.bool))
        self.model.similarity(video, video)


def open_cut(name: str, device: str | None, width: int | None, kept: int | None) -> ByTorch:
    """The model `name`, whose vectors are cut to `width`, or else are as wide as those kept."""
    model = open_encoder(name, device=device)
    if width is not None:
        cut_to(model, width)
    elif kept is not None:
        cut_as_stored(model, kept)
    return ByTorch(model)


def some_pictures(pixels: Pixels) -> UInt8[Tensor, "N 3 S S"]:
    """Photographs of many kinds, by which forms of a model are compared."""
    return torch.from_numpy(shown(pixels))
