"""Knows which frozen model made the features that a run reads; a trained model pins its hash."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reeltune.errors import ConfigError, ReeltuneError
from reeltune.features.index import Making
from reeltune.models.opening.open import open_encoder, open_model


@dataclass(frozen=True)
class Maker:
    """The model that made the features of some folders; without a fingerprint it is not known."""

    making: Making
    folder: Path  # the first of them, for messages
    named: str | None = None  # by which it was just opened and found to be the maker

    def known_to(self, config: Any, device: str | None) -> Any:
        """The settings of a model with the maker as its encoder, pinned by its fingerprint.

        Features that do not say what made them leave the settings as they are.
        Errors: `ConfigError` for settings that name another encoder.
        """
        pinned, named = self.making.fingerprint, getattr(config, "encoder", None)
        is_beside = "encoder_fingerprint" in type(config).model_fields
        if not (pinned and is_beside):
            return config
        if named not in (None, self.named):
            self._require(named, device)
        maker = {"encoder": named or self.making.model, "encoder_fingerprint": pinned}
        return config.model_copy(update=maker)

    def _require(self, named: str, device: str | None) -> None:
        """Raise ConfigError for a model that did not make the features."""
        if (found := open_model(named, device).fingerprint) != self.making.fingerprint:
            raise ConfigError(
                f"config.encoder is {named} of fingerprint {found}, and the features in "
                f"{self.folder} were made by {self.making.model} of fingerprint "
                f"{self.making.fingerprint}; give --set config.encoder={self.making.model}, or "
                f"make features by `reeltune features VIDEOS --model {named}`"
            )

    def said(self, config: Any) -> tuple[str, ...]:
        """A sentence if the encoder of a model with these settings cannot be checked."""
        named = getattr(config, "encoder", None)
        if named is None or self.making.fingerprint:
            return ()
        return (f"what made the features in {self.folder} is not known; {named} is taken for it",)

    def require_of(self, model: Any) -> None:
        """Raise ConfigError for a model that was trained on features of another maker."""
        pinned = getattr(getattr(model, "config", None), "encoder_fingerprint", None)
        if pinned and self.making.fingerprint and pinned != self.making.fingerprint:
            raise ConfigError(
                f"{model.name} was trained on features of {model.config.encoder} with fingerprint "
                f"{pinned}, and those in {self.folder} were made by {self.making.model} with "
                f"fingerprint {self.making.fingerprint}; give features that the former made, to "
                "train and evaluate by --set features.folder=FOLDER"
            )


@torch.inference_mode()
def why_not_to_index(folder: Path) -> str:
    """The reason why the model in `folder` cannot read pictures; None if it can."""
    try:
        model = open_encoder(str(folder))
        side = model.pixels.size
        picture = torch.zeros(1, 1, 3, side, side, dtype=torch.uint8)
        model.encode_video(picture, torch.ones(1, 1, dtype=torch.bool))
    except ReeltuneError as error:
        return str(error)
    return ""
