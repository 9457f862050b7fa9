"""Settings that messages name are settings that there are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from sources import FILES, PACKAGE, nodes

from reeltune.meltr.melting import Melting
from reeltune.training.settings import Settings

SECTIONS: dict[str, type[BaseModel]] = {"meltr": Melting, "training": Settings}
NAMED = re.compile(r"\b(meltr|training)\.([a-z_0-9]+)")
OTHERS = {("meltr", name) for name in ("safetensors", "schemes", "transformer")} | {
    ("training", "weightings")
}  # files of both


def messages(path: Path) -> Iterator[str]:
    """Every string in a file but docstrings."""
    alone = {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}
    for node in nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_every_setting_of_training_and_of_meltr_that_a_message_names_exists() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), *named)
        for path in FILES
        for text in messages(path)
        for named in NAMED.findall(text)
        if named not in OTHERS
    }
    assert len(found) > 20, "the files are read"
    unknown = {one for one in found if one[2] not in SECTIONS[one[1]].model_fields}
    assert unknown == set()
