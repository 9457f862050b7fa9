"""Parts of torchjd, which is an extra."""

from importlib import import_module
from typing import Any, Literal

from reeltune.errors import ConfigError

Part = Literal["scalarization", "aggregation"]


def torchjd(part: Part, name: str, *given: Any, **named: Any) -> Any:
    """One of torchjd's scalarizers or weightings, made of these arguments.

    Errors: `ConfigError` where torchjd, or a solver that it needs for this one, is not installed.
    """
    try:
        return getattr(import_module(f"torchjd.{part}"), name)(*given, **named)
    except ImportError as error:
        raise ConfigError(
            f"{name.removesuffix('Weighting')} is taken from torchjd, which cannot be used here "
            f"({str(error).splitlines()[0].rstrip('.')}); pip install 'reeltune[torchjd]'"
        ) from error
