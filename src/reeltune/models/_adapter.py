"""Stores and opens a frozen CLIP with something small on top that is trained.

Only the trained tensors are written, with the name and the fingerprint of the CLIP they belong
to. Of a CLIP without a name, which is one of random weights, all tensors are.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from reeltune.errors import CheckpointError, ConfigError
from reeltune.models import clip
from reeltune.models._device import device_named, precision_named
from reeltune.models._objective import Named as ObjectiveName
from reeltune.models._objective import objective_named
from reeltune.models._preprocessor import read_preprocessor
from reeltune.models._tokenizer import read_tokenizer
from reeltune.models.opening.material import Material
from reeltune.models.opening.open import ModelName, component_named, open_model
from reeltune.models.opening.published import PUBLISHED
from reeltune.models.opening.towers import FAMILIES, read_settings, towers_of
from reeltune.models.opening.weights import (
    CARD,
    card_settings,
    read_card,
    read_tensors,
    require_all_keys,
    write_card,
)
from reeltune.objectives.objective import Objective
from reeltune.storage.home import from_home
from reeltune.storage.tensors import write_tensors

ADAPTER = "adapter.safetensors"


class Based(BaseModel):
    """Settings of a model that stands on a CLIP, which has a name or random weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: ModelName | None = "openai/clip-vit-base-patch32"  # None: random weights
    base_fingerprint: str | None = None  # a saved adapter says it, and opens on no other base
    architecture: clip.Config = clip.Config()  # of the random one
    compat: Literal["modelscope"] | None = None  # computes as the weights released there need it
    objective: ObjectiveName = "info-nce"  # the loss by which the space is learned
    objective_options: dict[str, Any] = {}  # of that loss

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        if self.base is None:
            return {"base_fingerprint": "under config.base=null, but where a base is named"}
        return {"architecture": f"under config.base={self.base}, but by config.base=null"}

    @cached_property
    def loss(self) -> Objective:
        """The loss; one from elsewhere is imported when training first asks for it, and not where a
        model is only opened, since a file may name it."""
        return objective_named(self.objective, self.objective_options)

    def opened(self, device: str | None = None, dtype: str | None = None) -> clip.Clip:
        """The base with its weights, or a new one with random weights if it has no name."""
        if self.base is None:
            return self.skeleton().move(device_named(device), precision_named(dtype))
        base = open_base(self.base, device, dtype)
        if self.base_fingerprint not in (None, base.fingerprint):
            raise CheckpointError(
                f"{self.base} has fingerprint {base.fingerprint}, and base_fingerprint is "
                f"{self.base_fingerprint}; give the CLIP that has it"
            )
        return base

    def base_for(self, material: Material) -> clip.Clip:
        """The base as training begins; raises ConfigError if clips are stored features."""
        if material.width is not None:
            raise ConfigError(
                f"{material.title} has features, and a CLIP that is tuned reads frames; leave "
                "features out"
            )
        return self.opened(material.device)

    def skeleton(self) -> clip.Clip:
        """The base with random weights; no weight is read."""
        if self.base is None:
            return self.architecture.build()
        if self.base in PUBLISHED:
            return PUBLISHED[self.base].build()
        component = component_named(self.base)
        if component is None and (of_run := _run_at(self.base)) is not None:
            return of_run.skeleton()
        folder = from_home(getattr(component, "FOLDER", self.base))
        if not (folder / "config.json").is_file():
            raise CheckpointError(
                f"the architecture of {self.base!r} is not known here; give one of "
                f"{', '.join(PUBLISHED)}, or a folder with its config.json"
            )
        settings = read_settings(folder, FAMILIES)
        preprocessor = read_preprocessor(folder, settings.model_type)
        return clip.Clip(towers_of(settings), read_tokenizer(folder), preprocessor).eval()


Settings = TypeVar("Settings", bound=Based)


def open_base(name: str, device: str | None = None, dtype: str | None = None) -> clip.Clip:
    """The CLIP to be tuned, which may come from a run that put nothing into its towers.

    Errors: `ConfigError` for a model that is none.
    """
    base: object = open_model(name, device, None)
    if isinstance(base, clip.MayBeClip) and base.is_clip:
        base = getattr(base, "clip", base)  # held by the model that tuned it, or itself
    if not isinstance(base, clip.Clip):
        raise ConfigError(
            f"{name} is no CLIP, and prompts and adapters go into the towers of one; "
            "give a CLIP folder, a hub id such as openai/clip-vit-base-patch32, tiny-clip, or a "
            "run of full, bias, proj or partial"
        )
    return base.move(base.mean.device, precision_named(dtype)).eval()


def _run_at(name: str) -> "Based | None":
    """Settings of the run in the folder `name`, if it stands on a CLIP."""
    folder = from_home(name)
    if not (folder / CARD).is_file() or (folder / "config.json").is_file():
        return None
    settings = card_settings(folder, read_card(folder).module().Config)
    return settings if isinstance(settings, Based) else None


def save_adapter(
    folder: Path, component: str, config: Based, stored: Mapping[str, Tensor], fingerprint: str
) -> None:
    """Write the tensors and a card that names their base by name and `fingerprint`."""
    pinned = config.model_copy(update={"base_fingerprint": fingerprint if config.base else None})
    write_card(folder, component, pinned.model_dump(mode="json"))
    write_tensors(folder / ADAPTER, stored)


def read_adapter(
    folder: Path | None, settings: type[Settings], device: str | None, dtype: str | None
) -> tuple[Settings, clip.Clip]:
    """Settings of the model in `folder`, and the CLIP that it stands on.

    Errors: `CheckpointError` if the CLIP is not the one that the adapter was trained on.
    """
    if folder is None:
        raise CheckpointError(
            "a tuned model has no weights of its own; give the folder that training wrote"
        )
    config = card_settings(folder, settings)
    if config.base and config.base_fingerprint is None:
        raise CheckpointError(
            f"{folder / CARD} has no base_fingerprint, by which the CLIP that it belongs to is "
            "known; take the file from the same place as the weights"
        )
    try:
        return config, config.opened(device, dtype)
    except CheckpointError as error:
        raise CheckpointError(
            f"{folder} has lost its base: {error}; "
            f"set base in {folder / CARD} to where the CLIP is that it was trained on"
        ) from error


def fill(folder: Path, own: Mapping[str, Tensor]) -> None:
    """Copy the stored tensors into place, every one of them and no other."""
    path = folder / ADAPTER
    given = read_tensors(path)
    shared = given.keys() & own.keys()
    misshapen = [name for name in shared if given[name].shape != own[name].shape]
    require_all_keys(
        path,
        missing=own.keys() - given.keys(),
        unexpected=given.keys() - own.keys(),
        misshapen=[f"{n} {tuple(given[n].shape)} for {tuple(own[n].shape)}" for n in misshapen],
    )
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(given[name])
