"""Every message that docs/troubleshooting.md quotes is one that the code can say."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]
QUOTED = [text for row in ROWS for text in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


@cache
def literals() -> list[str]:
    """Texts of the code, each without what is filled in."""
    return [*texts()]


def texts() -> Iterator[str]:
    for folder in ("src", "scripts"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_occurs_in_the_code(message: str) -> None:
    runs = [run.strip() for run in message.split("...") if run.strip()]
    assert max(len(run.split()) for run in runs) >= 3, "quote three words in a row or more"
    for run in runs:
        assert any(run in text for text in literals()), run


def test_every_group_of_the_page_quotes_messages() -> None:
    groups = PAGE.split("\n## ")[1:]
    assert len(groups) == 7
    assert all(group.count("\n| `") >= 5 for group in groups)
    assert len(QUOTED) == len(set(QUOTED)) > 60
