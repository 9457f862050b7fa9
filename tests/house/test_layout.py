"""Rules of the house that a machine can check."""

import ast
import re
from collections import Counter
from pathlib import Path

from sources import FILES, PACKAGE, ROOT, for_each, nodes

# Who may import whom: a room imports those of rows to its right, and none beside it.
ORDER = (
    "cli > papers serve > runs > recipes > tasks training search"
    " > data models meltr compress evaluation > batches features > media settings"
    " > objectives nn storage registry types > errors ranks records _version"
)
ROWS = [row.split() for row in ORDER.split(" > ")]
LEVEL = {room: level for level, row in enumerate(reversed(ROWS)) for room in row}
DOORS = {"__init__", "__main__"}  # what people and Python enter by, above every row
PICKLING = {"pickle", "shelve", "marshal", "dill"}
RESTRICTED_UNPICKLERS = {  # converters of released files, each of which names what it lets in
    "data/released/univl_pickles.py",
    "models/released/dual_encoding_words.py",
}
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT))


@for_each(FILES)
def test_imports_point_down(path: Path) -> None:
    here = part_of(path)
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "reeltune":
            there = ((node.module or "").split(".")[1:] or ["_version"])[0]
            allowed = here in DOORS or there == here or LEVEL[there] < LEVEL[here]
            assert allowed, f"line {node.lineno}: {here} imports {there}"


def test_the_top_of_the_package_is_rooms_and_six_loose_files() -> None:
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose == DOORS | {"errors", "records", "types", "registry", "_version"}
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= LEVEL.keys()
    assert len(ROWS) <= 10


@for_each(FILES)
def test_files_and_functions_stay_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines; split it"
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            taken = [a for a in given if a.arg not in ("self", "cls")]
            is_command = part_of(path) == "cli"
            assert len(taken) <= 8 or is_command, f"{node.name} takes {len(taken)}"


@for_each(FILES)
def test_names_say_what_is_inside(path: Path) -> None:
    stem = path.stem.strip("_")
    assert stem not in VAGUE
    assert not stem.startswith("base_")


@for_each(FILES)
def test_no_unsafe_loading_and_no_asserts_on_input(path: Path) -> None:
    for node in nodes(path):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: raise an error instead"
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
            assert not names & PICKLING, f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom) and name_of(path) not in RESTRICTED_UNPICKLERS:
            assert node.module not in PICKLING, f"line {node.lineno}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            safe = {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert safe.get("weights_only") == "True", f"line {node.lineno}"
        if isinstance(node, ast.keyword):
            assert node.arg != "trust_remote_code"


def test_transformers_is_used_by_its_public_names_alone() -> None:
    """Its modules move between versions, and what they take changes."""
    within = re.compile(r"\btransformers\.models")  # sentence_transformers is another library
    inside = [name_of(path) for path in FILES if within.search(path.read_text())]
    assert inside == []


def test_safetensors_are_written_in_one_place() -> None:
    writers = [name_of(path) for path in FILES if "save_file" in path.read_text()]
    assert writers == ["storage/tensors.py"]


def test_the_planted_upward_import_is_caught(tmp_path: Path) -> None:
    assert LEVEL["search"] > LEVEL["models"] > LEVEL["errors"]
    assert LEVEL["data"] == LEVEL["models"], "neighbours in a row never import each other"


def test_one_file_alone_calls_lance() -> None:
    """Its errors become ours there, and a panic is no Exception that a caller would catch."""
    for path in FILES:
        names = set()
        for node in nodes(path):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").split(".")[0])
        assert "lance" not in names or name_of(path) == "search/store/dataset.py", path


def test_nothing_of_lance_leaves_the_file_that_calls_it() -> None:
    """What it returns is ours or Arrow's, so that no later look at it can panic."""
    door = ast.parse((PACKAGE / "search/store/dataset.py").read_text())
    for node in ast.walk(door):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            given = ast.unparse(node.returns) if node.returns else ""
            assert "Any" not in given, node.name
            assert "lance" not in given, node.name


def test_home_folders_are_found_in_one_place() -> None:
    """`Path.expanduser` raises for a file such as `~draft.mp4`, which names nobody's home, so
    `from_home` alone asks the system."""
    found = [
        (name_of(path), ast.unparse(node))
        for path in [*FILES, *(ROOT / "scripts").rglob("*.py")]
        for node in nodes(path)
        if (isinstance(node, ast.Attribute) and node.attr == "expanduser")
        or (isinstance(node, ast.alias) and node.name == "expanduser")
    ]
    assert found == [("storage/home.py", "os.path.expanduser")]


def test_no_two_files_of_tests_have_one_name() -> None:
    """They are in no packages, so pytest would import one for the other."""
    named = Counter(path.name for path in (PACKAGE.parents[1] / "tests").rglob("test_*.py"))
    assert [name for name, count in named.items() if count > 1] == []
