"""Two reports from their files, compared."""

from pathlib import Path

from reeltune.errors import ConfigError
from reeltune.evaluation.compare import Comparison, compare
from reeltune.evaluation.retrieval import Report
from reeltune.tasks.captioning import CaptioningReport
from reeltune.tasks.compare_captions import compare_captions
from reeltune.tasks.reports import AnyReport, read_report


def compare_files(path_a: Path, path_b: Path, seed: int = 0) -> Comparison:
    """Compare two JSON reports; a folder stands for the metrics.json in it.

    Errors: `ConfigError` for reports of unlike protocols, and for one of retrieval with one of
    captions.
    """
    a, b = _read(path_a), _read(path_b)
    if isinstance(a, Report) and isinstance(b, Report):
        return compare(a, b, seed)
    if isinstance(a, CaptioningReport) and isinstance(b, CaptioningReport):
        return compare_captions(a, b, seed)
    raise ConfigError(
        f"{path_a} and {path_b} are of retrieval and of captions, and cannot be compared; "
        "give two of one kind"
    )


def _read(path: Path) -> AnyReport:
    return read_report(path / "metrics.json" if path.is_dir() else path)
