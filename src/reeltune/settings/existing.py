"""Settings that name what must be there: marked by their type, and looked for in one place."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel

from reeltune.errors import ConfigError
from reeltune.storage.home import from_home


@dataclass(frozen=True)
class Named:
    """Marks a type of settings; `fault` says what is wrong where what is named is not there."""

    fault: Callable[[Any], str]


def _absent(path: Path) -> str:
    return "" if path.exists() else "there is no such file or folder; give one that is there"


# A path to read, where `~` is the home of the user.
ExistingPath = Annotated[Path, AfterValidator(from_home), Named(_absent)]


def require_there(
    title: str, sections: Mapping[str, object], asked: Collection[str] | None = None
) -> None:
    """Raise ConfigError for the first setting of `sections` that names what is not there.

    Only those are looked at that are `asked` for, by their paths; None: all.
    """
    for section, settings in sections.items():
        for path, value, named in _named_in(settings, section):
            if (asked is None or path in asked) and (fault := named.fault(value)):
                raise ConfigError(f"{title}: --set {path}={value}: {fault}")


def _named_in(settings: object, section: str) -> Iterator[tuple[str, Any, Named]]:
    """Marked settings that are given, with their paths and marks."""
    if not isinstance(settings, BaseModel):
        return
    for name, field in type(settings).model_fields.items():
        value, path = getattr(settings, name), f"{section}.{name}"
        yield from _named_in(value, path)
        for kind, named in marks(field.annotation, field.metadata):
            if isinstance(value, kind):
                yield path, value, named


def marks(annotation: Any, metadata: Collection[Any] = ()) -> Iterator[tuple[type, Named]]:
    """Types within an annotation that name what must be there."""
    for one in metadata:
        if isinstance(one, Named):
            yield annotation, one
    if hasattr(annotation, "__metadata__"):
        yield from marks(annotation.__origin__, annotation.__metadata__)
        return
    for part in get_args(annotation):
        yield from marks(part)
