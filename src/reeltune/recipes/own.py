"""A recipe of one's own: a YAML file that is named by its path.

Either a benchmark and a method, and what is to be different, in the sections of a recipe:
    {benchmark: toybox, method: vop, training: {lr: 3.0e-3}, config: {frames: 8}}
or every setting, as a run leaves it in `recipe.yaml`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reeltune.errors import ConfigError

SUFFIXES = (".yaml", ".yml")
NAMES_CODE = ("dataset", "component")  # a file may name what comes along, and import no other code
NAMES_CODE_WITHIN = ("meltr.scheme", "config.objective")


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
    for part in (*NAMES_CODE, *NAMES_CODE_WITHIN):
        if "." in (given := _text_at(settings, part)):
            raise ConfigError(
                f"{path}: {part} is {given}, and no file may say which code is imported; "
                f"leave it out and give --set {part}={given}"
            )
    if dotted := [name for name in settings if "." in str(name)]:
        section, _, setting = dotted[0].partition(".")
        raise ConfigError(
            f"{path} has {dotted[0]} at its top; write it in its section, such as "
            f"{section}: {{{setting}: ...}}"
        )
    named = [settings.pop(part, None) for part in ("benchmark", "method")]
    if all(isinstance(part, str) for part in named):
        return OwnRecipe("/".join(named), settings)
    if named == [None, None] and all(part in settings for part in ("name", *NAMES_CODE)):
        return OwnRecipe(None, settings)
    raise ConfigError(
        f"{path} has {', '.join(map(str, _open(path))) or 'nothing'} at its top; it needs "
        "benchmark and method, such as toybox and vop, or every setting, as recipe.yaml of a run"
    )


def _text_at(settings: dict[str, Any], path: str) -> str:
    """A setting by its path, as a text; empty where there is none."""
    section, _, name = path.rpartition(".")
    within = settings.get(section) if section else settings
    return str(within.get(name, "")) if isinstance(within, dict) else ""


def merge(settings: dict[str, Any], changes: dict[str, Any]) -> None:
    """Put `changes` into `settings`, section by section."""
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(settings.get(name), dict):
            merge(settings[name], value)
        else:
            settings[name] = value


def _open(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        fault = " ".join(str(error).split())
        raise ConfigError(
            f"{path} cannot be read as a recipe ({fault}); give a YAML file"
        ) from None
    if not isinstance(found, dict):
        raise ConfigError(
            f"{path} holds a {type(found).__name__}, and a recipe is settings by name, such as "
            "benchmark: toybox"
        )
    return found
