"""Pages of the API reference, one for each folder of the package; mkdocs.yml names this as a hook.

What is public is what no `_` begins: a page lists the public modules of a folder and of the public
folders in it, so that a new module stands in the reference without an edit of the documentation.
The navigation in mkdocs.yml names the pages, in the order in which a reader wants them.
"""

import ast
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "reeltune"
COMMANDS = "cli"  # its reference is `--help` and docs/commands.md


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of docs/."""
    for part, modules in public_modules().items():
        content = page(part, modules)
        files.append(File.generated(config, f"reference/{part}.md", content=content))
    return files


def public_modules() -> dict[str, list[str]]:
    """Dotted names of the public modules, by the part of the package that they are in."""
    found: dict[str, list[str]] = {}
    paths = sorted(PACKAGE.rglob("*.py"), key=lambda path: (len(path.parts), path))
    for path in paths:
        names = path.relative_to(PACKAGE).with_suffix("").parts
        if len(names) == 1 or names[0] == COMMANDS or any(n.startswith("_") for n in names):
            continue
        found.setdefault(names[0], []).append(".".join(("reeltune", *names)))
    return found


def page(part: str, modules: list[str]) -> str:
    """Markdown of one page: what the folder is for, a list of its modules, then each of them."""
    listed = "\n".join(f"- [`{m}`][{m}]: {first_line(module_file(m))}" for m in modules)
    folder = first_line(PACKAGE / part / "__init__.py")
    return "\n\n".join([f"# {part}", folder, listed, *(f"::: {module}" for module in modules)])


def module_file(module: str) -> Path:
    """Where a module of the package is."""
    return PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")


def first_line(file: Path) -> str:
    """The first sentence or line of the docstring of a module."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].replace("\n", " ")
