"""How MELTR starts and is taught, by name: safely from the sum, or as the paper and its code do."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from reeltune.errors import ConfigError, first_fault
from reeltune.meltr.settings import Settings
from reeltune.meltr.transformer import RELEASED


class Mode(NamedTuple):
    """Sizes of the transformer and settings of the outer level, where they are not the default."""

    sizes: dict[str, Any]
    settings: dict[str, Any]


VIOLET = {"clip_norm": 12.0, "dropout": True}
MODES: dict[str, Mode] = {
    # Starts as the plain sum, and is pulled to it where it judges: what Reeltune's recipes set.
    "residual": Mode({"residual": True}, {"direct_term": True, "regularise": "upper"}),
    # The paper's text: random weights, Adam at 1e-4, and no direct term.
    "paper": Mode({}, {}),
    # The released code, whose Adam has other betas in all but UniVL's.
    "univl": Mode(RELEASED["univl"], {"lr": 1e-3, "weight_decay": 3e-5, "gamma": 0.0}),
    "violet-retrieval": Mode(
        RELEASED["violet-retrieval"], {**VIOLET, "lr": 3e-6, "weight_decay": 1e-3}
    ),
    "violet-qa": Mode(RELEASED["violet-qa"], {**VIOLET, "weight_decay": 1e-4}),
    "all-in-one": Mode(
        RELEASED["all-in-one"], {"every": 5, "weight_decay": 3e-5, "clip_norm": 1.0}
    ),
}


def settings_of(mode: str, changed: Mapping[str, Any]) -> Settings:
    """The settings of a mode with some of them changed; raises ConfigError for what is none."""
    if mode not in MODES:
        raise ConfigError(f"MELTR has no mode {mode!r}; there are {', '.join(MODES)}")
    given = {**MODES[mode].settings, **changed}
    try:
        return Settings(**given)
    except ValidationError as error:
        place, fault = first_fault(error)
        raise ConfigError(
            f"MELTR got {place}={given.get(place)!r}: {fault}; its settings are "
            f"{', '.join(Settings.model_fields)}"
        ) from error
