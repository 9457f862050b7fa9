"""Docstrings say what a thing is, not only what it belongs to or resembles."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from sources import PACKAGE, ROOT, for_each, nodes

OPENINGS = ("Of ", "The same ", "The same;")  # without the noun or the verb that a reader needs
FILES = [
    path
    for folder in (PACKAGE, *map(ROOT.joinpath, ("tests", "benchmarks", "scripts")))
    for path in sorted(folder.rglob("*.py"))
]


def docstrings(program: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Each docstring of a file on one line, with the line where its owner begins."""
    for node in program:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            words = (ast.get_docstring(node) or "").split()
            yield getattr(node, "lineno", 1), " ".join(words)


@for_each(FILES)
def test_no_docstring_opens_without_saying_what_it_is_about(path: Path) -> None:
    for line, said in docstrings(nodes(path)):
        assert not said.startswith(OPENINGS), f"line {line}: {said[:60]!r}; say what it is"


def test_a_planted_fragment_is_found() -> None:
    program = ast.parse('def half(x):\n    """The same\n    divided by two."""\n')
    assert [said for _, said in docstrings(ast.walk(program))] == [
        "",
        "The same divided by two.",
    ]
