"""A frozen model beside the trained one: opened when it is first needed, saved by its name."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from pydantic import BaseModel
from torch import Tensor, nn

from reeltune.errors import CheckpointError, ConfigError
from reeltune.models.opening.open import open_model
from reeltune.types import DualEncoder, FrameEncoder, Pixels, Tokens

NO_PIXELS = Pixels(size=1)  # of a model with none beside it: it reads stored features alone


def remedy(field: str, wanted: str) -> str:
    """How to change the model beside.

    In a saved model this is done by hand, because only training takes settings.
    """
    return (
        f"give --set config.{field}=MODEL in training, or set {field} in the config.yaml beside "
        f"the weights, to {wanted}"
    )


def beside_of(config: BaseModel, field: str, pin: str, width: str) -> "Beside | None":
    """The model that a setting names, None for none; `pin` and `width` are the settings of its
    fingerprint and of how wide its features are."""
    named = config.model_dump(include={field, pin, width})
    if named[field] is None:
        return None
    return Beside(named[field], named[pin], field, (width, named[width]))


@dataclass
class Beside:
    """A model known by its name. It is no part of the model beside it, and is moved to where it is
    asked for."""

    name: str
    expected: str | None  # its fingerprint, where a saved model says it
    field: str  # of the settings, which a message names
    width: tuple[str, int] | None = None  # the setting that says how wide its features are to be
    _model: DualEncoder | None = None

    @torch.inference_mode(False)
    def open(self, device: torch.device) -> DualEncoder:
        """The model on `device`; the first call reads it, so counting parameters does not need it.

        Raises CheckpointError where it is lost, and for another than the model was trained beside.
        """
        if self._model is None:
            model = self._read(device)
            if self.expected not in (None, model.fingerprint):
                raise CheckpointError(
                    f"{self.field} {self.name} has fingerprint {model.fingerprint}, and this model "
                    f"was trained beside {self.expected}; {self._remedy('one that has it')}"
                )
            self._model = model
        if isinstance(self._model, nn.Module):
            self._model.to(device)
        return self._model

    def _read(self, device: torch.device) -> DualEncoder:
        try:
            return open_model(self.name, str(device))
        except CheckpointError as error:
            raise CheckpointError(
                f"{self.field} is lost: {error}; {self._remedy('where it is')}"
            ) from error

    def fingerprint(self, device: torch.device) -> str:
        """The fingerprint that a saved model records."""
        return self.expected or self.open(device).fingerprint

    @torch.no_grad()
    def frames(
        self, frames: UInt8[Tensor, "B 3 S S"], device: torch.device
    ) -> Float[Tensor, "B F"]:
        """Features of single frames; raises ConfigError for a model that reads whole clips, and for
        features of another width."""
        model = self.open(device)
        if not isinstance(model, FrameEncoder):
            raise ConfigError(
                f"{self.field} is {self.name}, which reads whole clips; "
                + self._remedy("a model that reads frames, such as lite or tiny-clip")
            )
        return self._fitting(model.encode_frames(frames)).to(device)

    @torch.no_grad()
    def texts(self, tokens: Tokens, device: torch.device) -> Float[Tensor, "B F"]:
        """Features of texts, given as its own tokens."""
        return self._fitting(self.open(device).encode_text(tokens)).to(device)

    def _fitting(self, features: Tensor) -> Tensor:
        if self.width is not None and features.shape[1] != self.width[1]:
            setting, wanted = self.width
            raise ConfigError(
                f"{self.field} {self.name} gives features of width {features.shape[1]}, and the "
                f"model reads {wanted}; train one that reads them by --set "
                f"config.{setting}={features.shape[1]}, or {self._remedy('one of that width')}"
            )
        return features

    def _remedy(self, wanted: str) -> str:
        return remedy(self.field, wanted)
