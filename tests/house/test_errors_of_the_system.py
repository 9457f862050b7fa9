"""What the system says of a file brings the file's path along, so messages that name the path say
the rest by `in_short`."""

import ast
import errno
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from sources import FILES, for_each, nodes

from reeltune.errors import in_short

WITH_PATHS = {"OSError", "FileNotFoundError", "PermissionError", "Exception"}


def said_whole(program: Iterable[ast.AST]) -> Iterator[int]:
    """Lines of messages that hold all that an error of the system says, its path too."""
    for handler in program:
        if not isinstance(handler, ast.ExceptHandler) or handler.type is None:
            continue
        caught = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
        if caught & WITH_PATHS:
            for value in ast.walk(handler):
                is_part = isinstance(value, ast.FormattedValue)
                if is_part and ast.unparse(value.value) in (handler.name, f"str({handler.name})"):
                    yield value.lineno


@for_each(FILES)
def test_no_message_has_the_path_of_an_error_of_the_system_again(path: Path) -> None:
    assert list(said_whole(nodes(path))) == []


def test_the_planted_message_is_caught() -> None:
    planted = "try: read()\nexcept (OSError, ValueError) as e:\n    raise DataError(f'{p}: {e}')"
    assert list(said_whole(ast.walk(ast.parse(planted)))) == [3]
    assert list(said_whole(ast.walk(ast.parse(planted.replace("{e}", "{in_short(e)}"))))) == []


def test_an_error_in_short_is_one_line_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent") as raised:
        (tmp_path / "absent").read_bytes()
    assert in_short(raised.value) == "No such file or directory"
    assert in_short(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    assert in_short(FileNotFoundError("No such file: a/b")) == "No such file or directory"
    assert in_short(ValueError("\n  first \nsecond")) == "first"
    assert in_short(ValueError()) == "ValueError"


class Point(BaseModel):
    """Settings with a rule of their own, and others within."""

    model_config = ConfigDict(extra="forbid")

    x: int
    within: "Point | None" = None

    @field_validator("x")
    @classmethod
    def _not_zero(cls, x: int) -> int:
        if x == 0:
            raise ValueError("x is 0; give another")
        return x


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Invalid JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "Input should be an object"),
        ("{}", "x: Field required"),
        ('{"x": 1, "y": 2}', "y: there is none of that name"),
        ('{"x": 1, "within": {"x": 0}}', "within.x: x is 0; give another"),
    ],
)
def test_of_what_pydantic_refuses_the_first_fault_is_said(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=r"^\d validation error") as raised:
        Point.model_validate_json(text)
    assert in_short(raised.value) == said
