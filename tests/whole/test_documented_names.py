"""What README.md and docs name of the package is there: modules that programs import, and files."""

import ast
import importlib.util
import re

import pytest
from documented import PAGES, ROOT

PLACES = [ROOT, ROOT / "src" / "reeltune"]
PROGRAMS = [
    (page, program)
    for page in PAGES
    for program in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    if not program.startswith("--8<--")
]
FILES = [
    (page, name)
    for page in PAGES
    for name in re.findall(
        r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|yaml|md))`", page.read_text(encoding="utf-8")
    )
    if not name.startswith(("runs/", "tagfolder/"))  # of a reader's own
]


@pytest.mark.parametrize(
    ("page", "program"), PROGRAMS, ids=lambda found: getattr(found, "name", "")
)
def test_what_a_program_imports_is_there(page: object, program: str) -> None:
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reeltune"):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                assert hasattr(module, alias.name) or importlib.util.find_spec(below), below


@pytest.mark.parametrize(("page", "name"), FILES, ids=lambda found: getattr(found, "name", found))
def test_a_file_that_a_page_names_is_there(page: object, name: str) -> None:
    assert any((place / name).is_file() for place in PLACES)


def test_pages_have_programs_and_files() -> None:
    assert len(PROGRAMS) > 8
    assert len(FILES) > 10
