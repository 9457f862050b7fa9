"""Says in one line what is wrong with settings that pydantic refuses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from reeltune.errors import ConfigError

NEAREST = 3  # settings that a message names where one is not known
Settings = TypeVar("Settings", bound=BaseModel)
ALIKE = 0.7  # of difflib, for names to be taken for slips of each other


def lacking(error: ValidationError) -> list[str]:
    """Settings that must be given and are not, if there is no other fault."""
    faults = error.errors()
    needed = all(fault["type"] == "missing" for fault in faults)
    return [".".join(map(str, fault["loc"])) for fault in faults] if needed else []


def refusal(
    error: ValidationError, section: str, known: Sequence[str], given: Iterable[str] = ()
) -> str:
    """The first fault of the settings below `section`, and the nearest of the `known` settings
    where there is none of that name; `given` are settings as they were asked for."""
    faults = error.errors()
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    first = [*unknown, *faults][0]
    place = ".".join([*([section] if section else []), *map(str, first["loc"])])
    if unknown:
        place = next((path for path in given if path.startswith(f"{place}.")), place)
        return f"there is no setting {place}{did_you_mean(place, known)}"
    got = "" if first["type"] in ("missing", "value_error") else f" (got {first['input']!r:.60})"
    said = first["msg"].removeprefix("Value error, ")
    return f"{place or 'settings'}: {said}{got}"


def checked(kind: type[Settings], section: str, given: Mapping[str, Any]) -> Settings:
    """Settings of one section of a recipe; ConfigError names what is wrong in it."""
    try:
        return kind(**given)
    except ValidationError as error:
        raise ConfigError(refusal(error, section, settings_of(kind, section))) from error


def did_you_mean(path: str, known: Sequence[str]) -> str:
    """The switches nearest to `path`: those that end as it does, then those spelt like its end."""
    by_end: dict[str, list[str]] = {}
    for name in known:
        by_end.setdefault(name.rpartition(".")[2], []).append(name)
    end = path.rpartition(".")[2]
    ends = dict.fromkeys([end, *get_close_matches(end, by_end, cutoff=ALIKE)])
    near = [name for one in ends for name in by_end.get(one, ())][:NEAREST]
    if near:
        return f"; did you mean {' or '.join(f'--set {name}' for name in near)}?"
    section = path.rpartition(".")[0]
    beside = [name for name in known if section and name.rpartition(".")[0] == section]
    tops = dict.fromkeys(f"{top}{dot}" for top, dot, _ in (name.partition(".") for name in known))
    return f"; there are {', '.join(beside or tops)}"


def settings_of(kind: type[BaseModel], section: str = "") -> list[str]:
    """Every setting of a class of settings by its path, and those of settings within them."""
    found = []
    for name, field in kind.model_fields.items():
        path = f"{section}.{name}" if section else name
        within = list(_classes(field.annotation))
        found += [one for part in within for one in settings_of(part, path)] or [path]
    return found


def settings_given(kind: type[Settings], changes: Mapping[str, object], section: str) -> Settings:
    """Settings of a class of them, each change by its path below `section`.

    Errors: `ConfigError` names the first fault, and the nearest settings.
    """
    known, start = settings_of(kind, section), f"{section}."
    for path in changes:
        if not path.startswith(start):
            raise ConfigError(f"there is no setting {path}{did_you_mean(path, known)}")
    return checked(
        kind, section, {path.removeprefix(start): value for path, value in changes.items()}
    )


def _classes(annotation: Any) -> Iterator[type[BaseModel]]:
    """Classes of settings that a field holds itself or may hold, but not in a list or by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from _classes(part)
