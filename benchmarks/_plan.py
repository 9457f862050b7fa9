"""What a benchmark says of itself, in constants that are read without running it.

`QUICK` are the arguments of a run of under a minute, and `RUNS` those of each run in full (a
benchmark that says nothing is run once, without arguments, and in full only). A run whose last
argument is a path beside this repository that is not there is left out, and so named. `FIGURES`
are those worth a table: the path of each in the JSON line, in which `*` stands for any name,
whether lower or higher is better, and what it is. Those that are "beside" something else are
ratios, and are plotted.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).parent
Size = Literal["quick", "full"]
Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Plan:
    """The runs of a benchmark by size, and (better, what it is) by path of its figures."""

    name: str
    question: str
    quick: list[list[str]] = field(default_factory=list)
    full: list[list[str]] = field(default_factory=lambda: [[]])
    figures: dict[str, tuple[Better, str]] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return FOLDER / f"bench_{self.name}.py"

    def runs(self, size: Size) -> list[list[str]]:
        return self.quick if size == "quick" else self.full


def plans(names: list[str] | None = None) -> list[Plan]:
    """The plans of all benchmarks, or of those that are named, in the order of their names."""
    found = {file.stem.removeprefix("bench_"): file for file in FOLDER.glob("bench_*.py")}
    unknown = sorted(set(names or ()) - set(found))
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}: there are {', '.join(sorted(found))}")
    return [read(name, found[name]) for name in sorted(names or found)]


def read(name: str, file: Path) -> Plan:
    """The plan of a file; constants that are not literals end in an error of Python."""
    tree = ast.parse(file.read_text("utf-8"))
    said: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id in ("QUICK", "RUNS", "FIGURES"):
                said[target.id] = ast.literal_eval(node.value)
    return Plan(
        name=name,
        question=(ast.get_docstring(tree) or name).splitlines()[0],
        quick=[said["QUICK"]] if "QUICK" in said else [],
        full=said.get("RUNS", [[]]),
        figures=said.get("FIGURES", {}),
    )


def leaves(line: Mapping[str, object], before: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a JSON line by its path, such as `systems/faiss/p50_ms`."""
    for key, value in line.items():
        path = f"{before}{key}"
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield path, float(value)


def matches(pattern: str, path: str) -> bool:
    """Whether a path is one that the pattern names; `*` stands for one name."""
    wanted, got = pattern.split("/"), path.split("/")
    return len(wanted) == len(got) and all(
        one in ("*", other) for one, other in zip(wanted, got, strict=True)
    )
