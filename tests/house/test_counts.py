"""A number stands with its noun in one way: `1 file` and `2 files`, by `counted`."""

import ast
from collections.abc import Iterable, Iterator

from sources import FILES, PACKAGE, nodes

from reeltune.errors import counted


def plurals(program: Iterable[ast.AST]) -> Iterator[int]:
    """Lines where a plural is made by hand: `'s' * (n != 1)`, or `'s' if n != 1 else ''`."""
    for node in program:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            parts = {ast.unparse(node.left), ast.unparse(node.right)}
        elif isinstance(node, ast.IfExp):
            parts = {ast.unparse(node.body), ast.unparse(node.orelse)}
        else:
            continue
        if "'s'" in parts:
            yield node.lineno


def test_a_count_of_one_has_no_plural() -> None:
    assert [counted(n, "file") for n in (0, 1, 2, 1000)] == [
        "0 files",
        "1 file",
        "2 files",
        "1,000 files",
    ]


def test_no_plural_is_made_by_hand() -> None:
    """`records` stands beside `errors`, so it cannot import from there."""
    found = {str(path.relative_to(PACKAGE)) for path in FILES if [*plurals(nodes(path))]}
    assert found == {"errors.py", "records.py"}


def test_a_planted_plural_is_found() -> None:
    planted = "f'{n} file{\"s\" * (n > 1)}'\nf'{n} clip{\"\" if n == 1 else \"s\"}'\n3 * 'is'\n"
    assert [*plurals(ast.walk(ast.parse(planted)))] == [1, 2]
