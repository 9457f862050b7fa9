"""The frozen model that turns pictures into features for a UniVL that was trained on them."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models.opening.open import open_model
from reeltune.types import DualEncoder, FrameEncoder, Pixels

UNREAD = Pixels(size=224)  # what S3D was trained on; without an encoder no picture is ever read


class FrozenFrames:
    """The model, which is opened for the first picture; stored features need none."""

    def __init__(self, name: str | None, fingerprint: str | None, features: int) -> None:
        self.name, self.fingerprint, self.features = name, fingerprint, features
        self._model: FrameEncoder | None = None

    @property
    def pixels(self) -> Pixels:
        return self.opened().pixels if self.name else UNREAD

    def opened(self, device: torch.device | None = None) -> FrameEncoder:
        """The model, on `device`.

        Errors: `ConfigError` for one that is no frame encoder, `CheckpointError` for another
        than the features were made with.
        """
        if self.name is None:
            raise DataError(
                f"frames are pictures, and this UniVL reads stored features of width "
                f"{self.features}; give float features (B, T, {self.features}), or name the model "
                "that makes them as `encoder`"
            )
        if self._model is None:
            model = _read(self.name)
            if not isinstance(model, FrameEncoder):
                raise ConfigError(
                    f"encoder {self.name} reads whole clips, and UniVL wants features of single "
                    "frames; name a frame encoder such as lite, tiny-clip or a CLIP folder"
                )
            if self.fingerprint not in (None, model.fingerprint):
                raise CheckpointError(
                    f"encoder {self.name} has fingerprint {model.fingerprint}, and the model was "
                    f"trained on features of {self.fingerprint}; name the one it was trained with"
                )
            self._model = model
        if device is not None and isinstance(self._model, nn.Module):
            self._model.to(device)
        return self._model

    @torch.no_grad()
    def __call__(
        self, frames: UInt8[Tensor, "B 3 S S"], device: torch.device
    ) -> Float[Tensor, "B F"]:
        """Features of pictures; raises ConfigError if they are not as wide as the model reads."""
        found = self.opened(device).encode_frames(frames)
        if found.shape[1] != self.features:
            raise ConfigError(
                f"encoder {self.name} makes features of width {found.shape[1]}, and the model "
                f"reads {self.features}; give --set config.features={found.shape[1]} in training, "
                "or set encoder in the config.yaml beside the weights to the one of its training"
            )
        return found.to(device)


def _read(name: str) -> DualEncoder:
    try:
        return open_model(name, "cpu")
    except CheckpointError as error:
        raise CheckpointError(
            f"encoder is lost: {error}; set encoder in the config.yaml beside the weights to where "
            "it is, or give --set config.encoder=MODEL in training"
        ) from error
