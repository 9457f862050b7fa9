"""Writes captions beside the moments of a library.

Captions are committed about every second, so a run that is stopped has lost little, and the next
one goes on with the moments that have none by the same model.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reeltune.errors import DataError
from reeltune.media.files import Candidate
from reeltune.media.progress import Progress
from reeltune.search.choice import Describes as Describes
from reeltune.search.engines.local import COMMIT_SECONDS
from reeltune.search.report import Failed, Report, reason_of
from reeltune.search.store import table as _table
from reeltune.storage.fetched import on_disk
from reeltune.storage.place import Place


def caption_moments(
    folder: Place, files: Sequence[Candidate], model: Describes, progress: Progress, report: Report
) -> None:
    """Give every moment of the files a caption by the model, where it has none by it.

    Ctrl-C keeps the captions of the files that are complete, and is told in the report.
    """
    moments = _without(folder, files, model.fingerprint)
    pending = _Pending(folder, model.fingerprint, report)
    progress.begin(len(moments), sum(file.size for file in moments))
    try:
        for file, parts in moments.items():
            _caption(file, parts, model, pending)
            progress.advance(file.path, file.size)
    except KeyboardInterrupt:
        report.interrupted = True
    pending.store()


def _without(
    folder: Place, files: Sequence[Candidate], by: str
) -> dict[Candidate, list[dict[str, Any]]]:
    """The moments of each file that have no caption by the model, in the order of time."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in _table.uncaptioned(folder, by):
        found.setdefault(row["location"], []).append(row)
    return {file: found[file.location] for file in files if file.location in found}


@dataclass
class _Pending:
    """Captions that wait for the next commit."""

    folder: Place
    by: str
    report: Report
    captions: dict[str, str] = field(default_factory=dict)
    stored_at: float = field(default_factory=time.monotonic)

    def store(self) -> None:
        """Commit the captions, all at once, and only then count them."""
        if self.captions:
            _table.write_captions(self.folder, self.captions, self.by)
        self.report.captioned += len(self.captions)
        self.captions, self.stored_at = {}, time.monotonic()


def _caption(
    file: Candidate, moments: Sequence[dict[str, Any]], model: Describes, pending: _Pending
) -> None:
    try:
        spans = [(moment["start"], moment["end"]) for moment in moments]
        with on_disk(file.location) as path:
            written = model.parts(path, spans)
    except DataError as error:
        reason = f"no captions: {reason_of(error)}"
        pending.report.uncaptioned.append(Failed(file.path, reason))
        return
    ids = [moment["id"] for moment in moments]
    pending.captions |= dict(zip(ids, written, strict=True))
    if time.monotonic() - pending.stored_at >= COMMIT_SECONDS:
        pending.store()
