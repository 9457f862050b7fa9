"""A recipe of one's own: a YAML file that is named by its path.

Either a benchmark and a method, and what is to be different, in the sections of a recipe:
    {benchmark: toybox, method: vop, training: {lr: 3.0e-3}, config: {frames: 8}}
or every setting, as a run leaves it in `recipe.yaml`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reeltune.errors import ConfigError, in_short
from reeltune.storage.home import from_home
from reeltune.storage.settings_file import read_named

SUFFIXES = (".yaml", ".yml")
WHOLE = ("name", "dataset", "component")  # settings of a file that has all of them


@dataclass(frozen=True)
class OwnRecipe:
    """The content of a file: changes of a recipe that is `named`, or all settings of one."""

    named: str | None
    settings: dict[str, Any]


def is_path(name: str) -> bool:
    """Whether a recipe is named by the path of its file."""
    return name.endswith(SUFFIXES)


def read_own(path: Path) -> OwnRecipe:
    """The recipe in the file at `path`; raises ConfigError that names what is wrong with it."""
    settings = _open(path)
    if dotted := [name for name in settings if "." in str(name)]:
        section, _, setting = dotted[0].partition(".")
        raise ConfigError(
            f"{path} has {dotted[0]} at its top; write it in its section, such as "
            f"{section}: {{{setting}: ...}}"
        )
    named = [settings.pop(part, None) for part in ("benchmark", "method")]
    if all(isinstance(part, str) for part in named):
        return OwnRecipe("/".join(named), settings)
    if named == [None, None] and all(part in settings for part in WHOLE):
        return OwnRecipe(None, settings)
    raise ConfigError(
        f"{path} has {', '.join(map(str, _open(path))) or 'nothing'} at its top; it needs "
        "benchmark and method, such as toybox and vop, or every setting, as recipe.yaml of a run"
    )


def merge(settings: dict[str, Any], changes: dict[str, Any]) -> None:
    """Put `changes` into `settings`, section by section."""
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(settings.get(name), dict):
            merge(settings[name], value)
        else:
            settings[name] = value


def _open(path: Path) -> dict[str, Any]:
    try:
        return read_named(from_home(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({in_short(error)}); give a YAML file") from None
    except ValueError as error:
        fault = " ".join(str(error).split())
        raise ConfigError(
            f"{path} cannot be read as a recipe ({fault}); give a YAML file of settings such as "
            "benchmark: toybox"
        ) from None
