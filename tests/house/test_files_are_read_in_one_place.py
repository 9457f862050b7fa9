"""Files are read through `storage`, where what is no regular file is refused instead of waited
for."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from sources import FILES, PACKAGE, for_each, nodes

OF_OURS = {  # files of this package or another, and those that this program alone writes
    "features/concepts.py",
    "media/_media.py",  # within the sandbox
    "models/_lite/conse.py",
    "models/opening/hub.py",
    "recipes/read.py",
    "search/background.py",
    "storage/regular_file.py",
}


def readings(program: Iterable[ast.AST]) -> Iterator[int]:
    """Lines in which a file is opened for reading by Python itself."""
    for node in program:
        if not isinstance(node, ast.Call):
            continue
        called, given = node.func, [*node.args, *(k.value for k in node.keywords)]
        name = getattr(called, "attr", getattr(called, "id", ""))
        modes = [one.value for one in given if isinstance(one, ast.Constant)]
        if name in ("read_text", "read_bytes") and isinstance(called, ast.Attribute):
            if not node.args:  # those of models have one
                yield node.lineno
        elif name in ("open", "fdopen") and any(
            isinstance(mode, str) and mode in ("r", "rb", "rt") for mode in modes
        ):
            yield node.lineno


@for_each(FILES)
def test_no_file_is_read_elsewhere(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() not in OF_OURS:
        assert [*readings(nodes(path))] == [], "use reeltune.storage"


def test_readings_are_seen() -> None:
    for line in (
        "p.read_text()",
        "p.read_bytes()",
        "p.open('rb')",
        "open(p, 'rb')",
        "open(p, mode='r')",
    ):
        assert [*readings(ast.walk(ast.parse(line)))] == [1], line
    for line in ("model.read_text(tokens)", "read_text(p)", "p.open('wb')", "Decoder.open(p)"):
        assert [*readings(ast.walk(ast.parse(line)))] == [], line


def test_the_exceptions_are_there() -> None:
    found = {path.relative_to(PACKAGE).as_posix(): path for path in FILES}
    assert [one for one in OF_OURS if not [*readings(nodes(found[one]))]] == []
