"""Settings that were changed although nothing reads them are refused, in one place."""

import json
import shlex
from collections.abc import Mapping

from pydantic import BaseModel

from reeltune.errors import ConfigError


def refuse_unread(settings: BaseModel, unread: Mapping[str, str], under: str = "") -> None:
    """Raise ConfigError where a setting that nothing reads differs from its default.

    `unread` has, of each such setting, the circumstance in which nothing reads it, such as "where
    losses are summed"; `under` is where the settings stand in a recipe, such as "training".
    """
    changed = [name for name in unread if getattr(settings, name) != _default(settings, name)]
    if not changed:
        return
    place = f"{under}." if under else ""
    values = settings.model_dump(mode="json")
    said = [f"{place}{n} is {_written(values[n])}, which is not read {unread[n]}" for n in changed]
    usual = " ".join(switch(f"{place}{n}", _default(settings, n)) for n in changed)
    raise ConfigError(f"{', and '.join(said)}; leave it out, or give the default: {usual}")


def switch(path: str, value: object) -> str:
    """What sets `path` to a value, as it is typed in a shell."""
    return f"--set {shlex.quote(f'{path}={_written(value)}')}"


def _default(settings: BaseModel, name: str) -> object:
    field = type(settings).model_fields[name]
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _written(value: object) -> str:
    """As `--set` reads it."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return value if isinstance(value, str) else json.dumps(value)
