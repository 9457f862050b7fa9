"""Writes and reads the files of reports of every kind, and checks their fields."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from reeltune.errors import DataError, in_short
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.settings_file import read_json

Kind = TypeVar("Kind")


def write_fields(path: Path, fields: Mapping[str, object]) -> None:
    """JSON with one field a line, whole or not at all, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in fields.items())
    content = ("{\n" + ",\n".join(rows) + "\n}\n").encode()
    if path.is_symlink() or (path.exists() and not path.is_file()):  # such as /dev/stdout
        path.write_bytes(content)
    else:
        write_atomically(path, content)


def read_fields(path: Path) -> object:
    """The unchecked content of a report's JSON file.

    Errors: `DataError`, with the path, for a file that is absent or is not JSON.
    """
    try:
        return read_json(path, at_most=None)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({in_short(error)}); make a report with: reeltune evaluate"
        ) from error
    except ValueError as error:
        raise DataError(
            f"{path} is not JSON ({error}); make a report with: reeltune evaluate"
        ) from error


def checked(kind: type[Kind], fields: object, what: str) -> Kind:
    """A report from its fields, also after JSON; DataError names the first bad one."""
    try:
        found: Kind = _adapter(cast(Any, kind)).validate_python(fields)
        return found
    except ValidationError as error:
        raise DataError(
            f"not a {what}: {in_short(error)}; make one with: reeltune evaluate"
        ) from error


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    """Made once for each kind, since that takes longer than to read a report."""
    return TypeAdapter(kind)
