"""The frozen model that says which entities a part of a picture shows, for prompting entity
modeling (ALPRO, 2112.09583, section 3.2)."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from reeltune.models._alpro.network import TEMPERATURE
from reeltune.models._beside import Beside
from reeltune.types import DualEncoder

KINDS, ARTICLES = ("footage", "video", "portrait", "video footage"), ("a", "the", "one")
TEXTS_AT_ONCE = 256


class Prompter:
    """Any model of one space of texts and videos; it is opened for the first clip."""

    def __init__(self, name: str, fingerprint: str | None, entities: Sequence[str]) -> None:
        self.model, self.entities = Beside(name, fingerprint, "prompter"), tuple(entities)
        self._vectors: Tensor | None = None  # of entities (E, D)

    @torch.no_grad()
    def __call__(
        self,
        frames: UInt8[Tensor, "B T 3 S S"],
        mask: Bool[Tensor, "B T"],
        device: torch.device,
    ) -> Float[Tensor, "B E"]:
        """The chance of each entity in each clip: softmax of cosines over the temperature."""
        model = self.model.open(device)
        with torch.autocast(device.type, enabled=False):
            vectors = self._of_entities(model)
            clips = model.encode_video(resized(frames, model.pixels.size), mask)
            return (clips @ vectors.T / temperature_of(model)).softmax(dim=1)

    def _of_entities(self, model: DualEncoder) -> Float[Tensor, "E D"]:
        """The mean of the vectors of an entity's prompts, as in the release."""
        if self._vectors is None:
            texts = [prompt for entity in self.entities for prompt in prompts_of(entity)]
            parts = (texts[at : at + TEXTS_AT_ONCE] for at in range(0, len(texts), TEXTS_AT_ONCE))
            found = torch.cat([model.encode_text(model.tokenize(part)) for part in parts])
            self._vectors = found.unflatten(0, (len(self.entities), -1)).mean(dim=1)
        return self._vectors


def prompts_of(entity: str) -> list[str]:
    """Texts about a clip that shows an entity: the twelve of the release for videos."""
    return [f"A {kind} of {article} {entity}." for kind in KINDS for article in ARTICLES]


def temperature_of(model: DualEncoder) -> float:
    """The temperature that divides the cosines of a model: ALPRO's own, the inverse of CLIP's
    scale, and for a model that has none the one that ALPRO begins with."""
    if (temperature := getattr(model, "temperature", None)) is not None:
        return float(temperature)
    if (scale := getattr(model, "logit_scale", None)) is not None:
        return math.exp(-float(scale.detach()))
    return TEMPERATURE


def resized(frames: UInt8[Tensor, "B T 3 S S"], size: int) -> UInt8[Tensor, "B T 3 Z Z"]:
    """Frames with another side; nothing is cut off."""
    if frames.shape[-1] == size:
        return frames
    each = frames.flatten(0, 1).float()
    found = F.interpolate(each, (size, size), mode="bilinear", antialias=True)
    return found.round().clamp(0, 255).to(torch.uint8).unflatten(0, frames.shape[:2])
