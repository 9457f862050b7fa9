"""The lines of benchmarks/results.jsonl, as runs of benchmarks with their figures."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from _plan import Better, Plan, leaves, matches


@dataclass(frozen=True)
class Kept:
    """One line: what was asked, by which run, and the numbers by their paths."""

    run: str
    benchmark: str
    arguments: tuple[str, ...]
    question: str
    commit: str
    machine: str
    numbers: dict[str, float]

    @property
    def asked(self) -> tuple[str, ...]:
        """What two lines must have alike to be compared."""
        return (self.benchmark, *self.arguments, self.question)

    @property
    def label(self) -> str:
        """The question with the arguments of the run."""
        return f"{self.question} ({' '.join(self.arguments)})" if self.arguments else self.question

    def figures(self, plan: Plan) -> Iterator[tuple[str, float, Better, str]]:
        """Those that the plan names: path, value, which is better, and what it is."""
        for pattern, (better, meaning) in plan.figures.items():
            for path, value in self.numbers.items():
                if matches(pattern, path):
                    yield path, value, better, meaning


def read(file: Path) -> list[Kept]:
    """All lines, oldest first."""
    if not file.exists():
        raise SystemExit(f"there is no {file}: run `make bench` first")
    return [line(row) for row in file.read_text("utf-8").splitlines() if row.strip()]


def line(row: str) -> Kept:
    told = json.loads(row)
    machine = told.pop("machine")
    about = {name: told.pop(name) for name in ("run", "benchmark", "question", "commit")}
    arguments = tuple(told.pop("arguments"))
    told.pop("size", None)
    return Kept(
        **about,
        arguments=arguments,
        machine=f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}",
        numbers=dict(leaves(told)),
    )
