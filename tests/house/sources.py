"""Files of the project, each read and parsed once for all rules, and rules that hold for each."""

import ast
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "reeltune"
FILES = sorted(PACKAGE.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All parts of a program."""
    return tuple(ast.walk(parsed(path)))


def for_each(files: Iterable[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Make a test of a rule for one file: it checks all of them, and tells together what failed.

    A test for each file would be half of the suite, and cost more than what it does."""

    def of(rule: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            faults = [*_faults(files, rule)]
            assert not faults, "\n".join(faults)

        test.__name__, test.__doc__ = rule.__name__, rule.__doc__
        return test

    return of


def _faults(files: Iterable[Path], rule: Callable[[Path], None]) -> Iterable[str]:
    for path in files:
        try:
            rule(path)
        except AssertionError as fault:
            yield f"{path.relative_to(ROOT)}: {fault}"
