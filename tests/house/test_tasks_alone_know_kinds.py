"""Outside a task's own files nobody asks which kind of model or of report it has."""

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

from sources import PACKAGE, for_each, nodes

from reeltune.tasks.finding.judge import all_tasks
from reeltune.types import DualEncoder

REPORTS = {task.report for task in all_tasks()}
CARDS = {get_type_hints(report)["protocol"] for report in REPORTS}
MODELS = {task.judge.__annotations__["model"] for task in all_tasks()} - {DualEncoder}
KINDS = {one.__name__ for one in (*MODELS, *REPORTS, *CARDS)}
FIGURES = {
    *(name for task in all_tasks() for name in task.higher(2)),
    *(field.name for report in REPORTS for field in fields(report)),
}
OWN = {Path(inspect.getfile(one)) for one in (*REPORTS, *CARDS)}  # where the kinds are made
FILES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path not in OWN and path.relative_to(PACKAGE).parts[0] != "tasks"
]  # models say by `judged_as` what they are made for, and may take it from their settings


def questions(program: Iterable[ast.AST]) -> Iterator[str]:
    """Expressions of a file that ask for a kind, each with its line."""
    for node in program:
        if any(asks(node)):
            yield f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)}"


def asks(node: ast.AST) -> Iterator[bool]:
    """Whether a node asks, by each way of asking that it could be."""
    if isinstance(node, ast.Call) and node.args:
        called = ast.unparse(node.func)
        if called in ("isinstance", "issubclass"):
            yield bool(KINDS & {*ast.unparse(node.args[1]).replace("|", " ").split()})
        if called in ("getattr", "hasattr"):
            yield ast.unparse(node.args[1]).strip("'\"") == "judged_as"
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield node.attr == "judged_as"
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        yield isinstance(node.left, ast.Constant) and node.left.value in FIGURES
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.Eq):
        yield bool(KINDS & {ast.unparse(side) for side in node.comparators})
    elif isinstance(node, ast.MatchClass):
        yield ast.unparse(node.cls) in KINDS


@for_each(FILES)
def test_nobody_asks_for_the_kind(path: Path) -> None:
    found = list(questions(nodes(path)))
    if path.relative_to(PACKAGE).parts[0] == "models":
        found = [one for one in found if not one.endswith("config.judged_as")]
    assert not found, f"{found}: let the task, or its report, do this"


def test_every_way_of_asking_is_caught() -> None:
    assert {"Report", "CaptioningReport", "CaptionCard", "ProtocolCard"} <= KINDS
    assert {"Writer", "PairScorer"} <= KINDS
    assert {"t2v", "scores", "SumR", "CIDEr-D"} <= FIGURES
    planted = [
        "isinstance(report, Report)",
        "isinstance(model, Clip | Writer)",
        "type(report) is CaptioningReport",
        "'t2v' in report.figures()",
        "model.judged_as == 'captioning'",
        "getattr(model, 'judged_as', None)",
        "match report:\n    case CaptioningReport():\n        pass",
    ]
    for text in planted:
        assert list(questions(ast.walk(ast.parse(text)))), text
    plain = "self.judged_as = 'captioning'\nname in report.values()"
    assert not list(questions(ast.walk(ast.parse(plain))))
