"""A model with fewer hidden units, which is smaller and faster."""

from torch import nn

from reeltune.compress.structured import choose, remove_units
from reeltune.compress.units import dual_encoding_units
from reeltune.errors import ConfigError
from reeltune.models.dual_encoding import DualEncoding


def without_units(model: nn.Module, amount: float) -> nn.Module:
    """A model of the same kind without a share of its hidden units; it can be saved and opened."""
    if not isinstance(model, DualEncoding):
        raise ConfigError(
            f"hidden units can be taken out of dual-encoding alone, and this is a "
            f"{type(model).__name__}; leave --units out"
        )
    groups = dual_encoding_units(model.config)
    kept = choose(model, groups, amount)
    small = remove_units(model, groups, kept)
    sizes = {name.split()[-1]: len(units) for name, units in kept.items()}
    left = {"hidden": len(kept["text forward"]), "filters": sizes["filters"]}
    if model.config.video_hidden:
        left["video_hidden"] = len(kept["video forward"])
    smaller = model.config.model_copy(update=left).build(model.vocabulary)
    smaller.concept_names = model.concept_names
    smaller.load_state_dict(small.state_dict())
    return smaller.eval().requires_grad_(False)
