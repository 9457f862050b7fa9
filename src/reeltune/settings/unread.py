"""Settings that were changed or asked for although nothing reads them are refused, in one place."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from reeltune.errors import ConfigError


@runtime_checkable
class StatesUnread(Protocol):
    """Settings that say which of them nothing reads."""

    def unread(self) -> dict[str, str]:
        """Names of settings that nothing reads as the others are, such as `step.lr`, and why:
        "under config.method=full, but by config.method=lora"."""
        ...


def unread_in(sections: Mapping[str, object]) -> dict[str, str]:
    """Settings that the sections of a recipe state to be unread, by whole paths."""
    return {
        f"{section}.{name}": why
        for section, settings in sections.items()
        if isinstance(settings, StatesUnread)
        for name, why in settings.unread().items()
    }


def flat(asked: Mapping[str, Any], below: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their whole paths, of sections within sections."""
    for name, value in asked.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{below}{name}.")
        else:
            yield f"{below}{name}", value


def why_unread(path: str, unread: Mapping[str, str]) -> str:
    """Why nothing reads the setting or the section that it is in; empty where something does."""
    return next((why for n, why in unread.items() if f"{path}.".startswith(f"{n}.")), "")


def refuse_asked(title: str, asked: Mapping[str, Any], unread: Mapping[str, str]) -> None:
    """Raise ConfigError for the first setting that was `asked` for, by its path, and is unread."""
    for path, value in asked.items():
        if value is not None and (why := why_unread(path, unread)):
            raise ConfigError(f"{title}: {path} is not read {why}; leave out {switch(path, value)}")


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
    """The switch that sets `path` to a value, as it is typed in a shell."""
    return f"--set {shlex.quote(f'{path}={_written(value)}')}"


def _default(settings: BaseModel, name: str) -> object:
    field = type(settings).model_fields[name]
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _written(value: object) -> str:
    """The value as `--set` reads it."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return value if isinstance(value, str) else json.dumps(value)
