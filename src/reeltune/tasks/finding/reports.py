"""Reads reports of any task from their files."""

from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.compare import compare, require_one_kind
from reeltune.evaluation.comparison import Comparison
from reeltune.evaluation.means import MeansReport
from reeltune.evaluation.report import AnyReport, ReportKind
from reeltune.evaluation.report_file import read_fields
from reeltune.registry import names
from reeltune.tasks.finding.judge import all_tasks


def read_report(path: Path) -> AnyReport:
    """The report in a file, of the kind whose fields the file has most of.

    Means over items are always among the kinds: tasks from elsewhere give them too.
    Errors: `DataError`, with the path, for a file that is absent or is no report.
    """
    fields = read_fields(path)
    found = set(fields) if isinstance(fields, dict) else set()
    kinds: list[ReportKind] = [*(task.report for task in all_tasks()), MeansReport]
    kind = max(kinds, key=lambda kind: len(found & _names(kind)))
    if not found & _names(kind):
        raise DataError(
            f"{path} has no field of a report of {', '.join(names('tasks'))}; make one with: "
            "reeltune evaluate"
        )
    try:
        return kind.from_dict(fields)
    except (DataError, ConfigError) as error:
        raise DataError(f"{path}: {error}") from error


def compare_files(path_a: Path, path_b: Path, seed: int = 0) -> Comparison:
    """Compare two JSON reports; a folder stands for the metrics.json in it.

    Errors: `ConfigError` for reports of unlike protocols, and for those of two kinds, such as one
    of retrieval with one of captions.
    """
    a, b = _read(path_a), _read(path_b)
    require_one_kind(a, b, f"{path_a} and {path_b}")
    return compare(a, b, seed)


def _read(path: Path) -> AnyReport:
    return read_report(path / "metrics.json" if path.is_dir() else path)


def _names(kind: Any) -> set[str]:
    return {field.name for field in fields_of(kind)}
