"""`_name` is private: nothing outside the folder that holds it imports it."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from sources import FILES, PACKAGE, ROOT, for_each, nodes

FOR_READERS = sorted(
    [*ROOT.glob("examples/*.py"), ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
)


def modules_of(program: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Dotted names of what a program imports, each with its line."""
    for node in program:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def private_to(module: str) -> str | None:
    """The package within which a module may be imported; None where it is public."""
    parts = module.split(".")
    private = (place for place, part in enumerate(parts) if is_private(part))
    first = next(private, None)
    return None if first is None else ".".join(parts[:first])


def is_private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


@for_each(FILES)
def test_private_names_stay_in_their_folder(path: Path) -> None:
    here = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for line, module in modules_of(nodes(path)):
        owner = private_to(module) if module.startswith("reeltune.") else None
        allowed = owner is None or owner == "reeltune" or f"{here}.".startswith(f"{owner}.")
        assert allowed, f"line {line}: {module} is private to {owner}"


@pytest.mark.parametrize("path", FOR_READERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_program_for_readers_needs_a_private_name(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    shown = re.findall(r"```python.*?\n(.*?)```", text, re.DOTALL)
    for program in shown if path.suffix == ".md" else [text]:
        if not program.startswith("--8<--"):
            private = [
                module
                for _, module in modules_of(ast.walk(ast.parse(program)))
                if private_to(module)
            ]
            assert not private


def test_what_is_private_is_told_from_its_dotted_name() -> None:
    assert private_to("reeltune.models._univl.beam.search") == "reeltune.models"
    assert private_to("reeltune.media._wire") == "reeltune.media"
    assert private_to("reeltune.models.clip.Clip") is None
    assert private_to("reeltune.__version__") is None
