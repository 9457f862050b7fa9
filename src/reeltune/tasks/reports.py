"""A report from its file, whichever of the kinds it is."""

import json
from pathlib import Path

from reeltune.errors import DataError
from reeltune.evaluation.retrieval import Report
from reeltune.tasks.captioning import CaptioningReport

AnyReport = Report | CaptioningReport


def read_report(path: Path) -> AnyReport:
    """Of retrieval or of captions; raises DataError, with the path, for a file that is neither."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Report.read(path)  # says what is wrong with the file
    if not isinstance(fields, dict) or "captions" not in fields:
        return Report.read(path)
    try:
        return CaptioningReport.from_dict(fields)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
