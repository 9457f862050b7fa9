"""Every import is declared in pyproject.toml, and everything declared as needed is imported."""

import ast
import functools
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sources import ROOT, nodes

FOLDERS = ("src", "tests", "benchmarks", "scripts", "examples")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Benchmarks and an example take these where they are.
BESIDE = {"betty", "torchopt", "lightning"}
NOT_INSTALLED = {"faiss": "faiss-cpu"}  # modules of `bench`, which the suite does without


@functools.cache
def owners() -> dict[str, set[str]]:
    """Names of the distributions that each importable name comes from."""
    found = packages_distributions()
    return {name: set(map(canonicalize_name, of)) for name, of in found.items()}


def imports(path: Path) -> set[str]:
    """Top names of the packages that a file imports."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def names_of(lines: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_import_is_declared(folder: str) -> None:
    files = [path for part in FOLDERS for path in (ROOT / part).rglob("*.py")]
    ours = {path.stem for path in files} | {path.parent.name for path in files}
    extras = PROJECT["optional-dependencies"].values()
    declared = names_of([line for lines in (PROJECT["dependencies"], *extras) for line in lines])
    for path in (ROOT / folder).rglob("*.py"):
        for name in imports(path) - set(sys.stdlib_module_names) - ours - BESIDE:
            by = owners().get(name, {NOT_INSTALLED.get(name, name)})
            assert by & declared, f"{path} imports {name}, which pyproject.toml does not name"


def test_every_dependency_is_read_by_the_package() -> None:
    files = (ROOT / "src").rglob("*.py")
    text = canonicalize_name(" ".join(path.read_text() for path in files))
    for one in names_of(PROJECT["dependencies"]):
        modules = {canonicalize_name(name) for name, by in owners().items() if one in by}
        read = any(re.search(rf"\b{name}\b", text) for name in modules | {one})
        assert read, f"{one} is a dependency, and no file of the package reads it"


def test_reeltune_deprecates_nothing() -> None:
    """So the deprecations that `make test-newest` shows, and counts, are those of others."""
    for path in (ROOT / "src").rglob("*.py"):
        for node in nodes(path):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("warn"):
                assert not re.search("Deprecat|FutureWarning", ast.unparse(node)), path
