"""Names of files reach a terminal through one module, which shows what is in them."""

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest
from sources import FILES, PACKAGE, for_each, nodes

PRINTS = "cli/terminal.py"
TALKS_TO_A_PROCESS = "evaluation/java.py"  # by a pipe, not to people


def faults_in(program: Iterable[ast.AST]) -> list[str]:
    """Calls that print, imports of what reads markup, and columns that would read it."""
    found = []
    for node in program:
        if isinstance(node, ast.ImportFrom) and node.module == "rich.markup":
            found.append(f"line {node.lineno}: rich.markup; give a style to rich.text.Text instead")
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).split(".")
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if called[-1] in ("print", "echo", "secho", "Console") or (
            called[:1] == ["sys"] and called[-1] == "write"
        ):
            found.append(f"line {node.lineno}: {'.'.join(called)}; print by cli/terminal.py")
        if called[-1] == "TextColumn" and given.get("markup") != "False":
            found.append(f"line {node.lineno}: a TextColumn that reads markup")
        if called[-1] in ("from_markup", "render_markup"):
            found.append(f"line {node.lineno}: markup; assemble a rich.text.Text")
    return found


@for_each(FILES)
def test_nothing_is_printed_but_by_the_module_that_shows_names(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() not in (PRINTS, TALKS_TO_A_PROCESS):
        assert faults_in(nodes(path)) == []


@pytest.mark.parametrize(
    "planted",
    [
        "print(path)",
        "typer.echo(path)",
        "Console(stderr=True)",
        "console.print(path)",
        "sys.stdout.write(path)",
        "from rich.markup import escape",
        "TextColumn('{task.fields[path]}')",
        "Text.from_markup(path)",
    ],
)
def test_what_prints_elsewhere_is_caught(planted: str) -> None:
    assert faults_in(ast.walk(ast.parse(planted)))
