"""The API reference has what is public, what is public says what it is, and nothing else is in."""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from sources import ROOT, for_each, nodes, parsed

import reeltune
import reference_pages

INDEX = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
PAGES = reference_pages.public_modules()
SHARED = re.findall(r"^::: (\S+)$", INDEX, re.MULTILINE)
MODULES = [*SHARED, *(module for modules in PAGES.values() for module in modules)]


FILES = sorted(
    file
    for file in reference_pages.PACKAGE.rglob("*.py")
    if not any(
        name.startswith("_") for name in file.relative_to(reference_pages.PACKAGE).parts[:-1]
    )
    and not file.stem.startswith("_")
)
Defined = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def defined_in(node: ast.Module | ast.ClassDef) -> list[Defined]:
    """The public classes and functions of a module or a class."""
    return [n for n in node.body if isinstance(n, Defined) and not n.name.startswith("_")]


def docstrings(file: Path) -> dict[str, str]:
    """The docstring of a module and of each public class, function and method in it."""
    tree = parsed(file)
    found = {file.stem: ast.get_docstring(tree) or ""}
    for node in defined_in(tree):
        found[f"{file.stem}.{node.name}"] = ast.get_docstring(node) or ""
        for method in defined_in(node) if isinstance(node, ast.ClassDef) else ():
            found[f"{file.stem}.{node.name}.{method.name}"] = ast.get_docstring(method) or ""
    return found


@cache
def interfaces() -> set[str]:
    """Names of the methods that a public Protocol of the package documents, so that a class which
    has them need not."""
    protocols = [
        node
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)
    ]
    return {m.name for node in protocols for m in defined_in(node) if ast.get_docstring(m)}


@for_each(FILES)
def test_what_is_public_says_what_it_is(file: Path) -> None:
    lacking = [
        name
        for name, text in docstrings(file).items()
        if not text and not (name.count(".") == 2 and name.split(".")[-1] in interfaces())
    ]
    assert not lacking, f"{lacking} have no docstring; say what they are, or begin them with _"


@for_each(map(reference_pages.module_file, MODULES))
def test_no_docstring_is_taken_for_html(file: Path) -> None:
    for name, text in docstrings(file).items():
        prose = re.sub(r"`[^`]*`|^    .*$", "", text, flags=re.MULTILINE)
        assert not re.search(r"<\w", prose), f"{name}: put what begins with < into backticks"


def test_every_folder_says_what_it_is_for() -> None:
    for file in reference_pages.PACKAGE.rglob("__init__.py"):
        private = any(
            n.startswith("_") for n in file.relative_to(reference_pages.PACKAGE).parts[:-1]
        )
        assert private or reference_pages.first_line(file), f"{file} has no docstring"


def test_the_navigation_names_every_page_of_the_reference_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = re.findall(r"reference/(\w+)\.md", text)
    assert sorted(named) == sorted(["index", *PAGES])


def test_private_modules_are_in_no_page() -> None:
    assert not [m for m in MODULES if any(name.startswith("_") for name in m.split("."))]
    assert not [module for module in MODULES if module.split(".")[1] == reference_pages.COMMANDS]


def test_modules_at_the_top_are_named_by_hand() -> None:
    top = {f"reeltune.{path.stem}" for path in reference_pages.PACKAGE.glob("[!_]*.py")}
    assert set(SHARED) == top


def test_what_import_reeltune_gives_is_documented_and_there() -> None:
    rows = re.findall(r"^\| `reeltune\.(\w+)` \|", INDEX, re.MULTILINE)
    assert sorted(rows) == sorted(reeltune.__all__)
    links = re.findall(r"^\| `reeltune\.(\w+)` \| \[.*?\]\[(.+?)\]", INDEX, re.MULTILINE)
    for name, home in links:
        module, _, attribute = home.rpartition(".")
        assert getattr(reeltune, name) is getattr(import_module(module), attribute)
        assert getattr(reeltune, name).__doc__
        assert module in MODULES


def test_the_page_about_python_names_what_a_library_has() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.+?) \|", page, re.MULTILINE)
    named = re.findall(r"`(?:Library\.)?(\w+)[^`]*`", " ".join(cells))
    has = [name for name in vars(reeltune.Library) if not name.startswith("_")]
    assert sorted(named) == sorted(["Library", *has])


def test_names_of_the_package_are_sorted_and_those_that_type_checkers_see() -> None:
    tree = ast.parse((reference_pages.PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    names = [
        name for node in checked.body if isinstance(node, ast.ImportFrom) for name in node.names
    ]
    imported = [name.asname or name.name for name in names]
    assert reeltune.__all__ == sorted(reeltune.__all__)
    assert sorted([*imported, "__version__"]) == reeltune.__all__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'reeltune' has no attribute 'nothing'"):
        _ = reeltune.nothing  # type: ignore[attr-defined]


def test_the_configuration_asks_nothing_of_the_network() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    theme = yaml.safe_load(text)["theme"]
    assert theme["font"] is False
    assert "://" not in text
