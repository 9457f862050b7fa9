"""Files of settings that a stranger may have written: small, not deep, and without YAML's aliases.

Whatever is wrong with such a file is an OSError or a ValueError with one line about it.
"""

import json
from pathlib import Path
from types import NoneType
from typing import Any

import yaml

from reeltune.storage.place import Place
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.text_file import decoded

MOST = 1 << 24  # bytes of JSON
MOST_YAML = 1 << 20  # bytes of YAML, which is read some hundred times slower
TOO_DEEP = "it is nested too deeply"


def read_json(path: Place, at_most: int | None = MOST) -> Any:
    """What a JSON file holds; raises OSError as `read_bytes` does, and ValueError for another."""
    try:
        return json.loads(decoded(read_bytes(path, at_most)))
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def read_yaml(path: Path) -> Any:
    """What a YAML file of plain values holds; raises OSError as `read_bytes` does, and ValueError
    for another.

    Aliases are refused: a few lines of them stand for more than any memory holds.
    """
    try:
        return yaml.load(decoded(read_bytes(path, MOST_YAML)), _WithoutAliases)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def read_named(path: Path) -> dict[str, Any]:
    """The settings by name that a YAML file holds; raises as `read_yaml`, and ValueError where it
    holds no such thing."""
    found = read_yaml(path)
    if isinstance(found, dict):
        return found
    what = {NoneType: "nothing", list: "a list"}.get(type(found), "one value")
    raise ValueError(f"it holds {what}, where settings by name are wanted")


class _WithoutAliases(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node of the text, which is written out."""
        if self.check_event(yaml.AliasEvent):
            raise ValueError("it has an alias of YAML, such as *name; write the value out instead")
        return super().compose_node(parent, index)
