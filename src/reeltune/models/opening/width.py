"""Cuts the vectors of a model that was trained for it, and says so of one that was not."""

from reeltune.errors import ConfigError
from reeltune.types import DualEncoder, Matryoshka


def cut_to(model: DualEncoder, width: int) -> None:
    """Have `model` make vectors of `width` numbers; raises ConfigError where it cannot."""
    if not isinstance(model, Matryoshka):
        raise ConfigError(
            f"--width is {width}, and {model.name} was not trained to have its vectors of "
            f"{model.dim} numbers cut, so a part of one is worth little; leave --width out, or "
            "give a model such as gemma2 or qwen3-vl"
        )
    model.cut(width)


def cut_as_stored(model: DualEncoder, width: int) -> None:
    """Have `model` make vectors as wide as those that are stored, if it can."""
    if isinstance(model, Matryoshka) and width in model.widths:
        model.cut(width)


def option_of(model: DualEncoder) -> str:
    """The option by which a command makes vectors of this width; empty for whole ones."""
    is_cut = isinstance(model, Matryoshka) and model.dim < model.widths[0]
    return f" --width {model.dim}" if is_cut else ""
