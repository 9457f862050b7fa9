"""How MELTR starts and is taught, by name: safely from the sum, or as the paper and its code do."""

from typing import Any, NamedTuple

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
