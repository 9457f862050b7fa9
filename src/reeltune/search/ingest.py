"""Indexes files: decodes, encodes and appends them.

One file is one unit of work, so a killed run resumes.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from reeltune.errors import LibraryError
from reeltune.media.decoder import Decoder
from reeltune.media.files import Scope, find, merged_patterns
from reeltune.media.progress import Progress, Silent
from reeltune.media.sampling import Sampling
from reeltune.models.opening.open import open_encoder
from reeltune.registry import given
from reeltune.search._confidence import Baseline
from reeltune.search._excluded import left_out_by
from reeltune.search._gather import Gatherer
from reeltune.search._known import Known, Stored
from reeltune.search._prune import Prune, gone_below
from reeltune.search._rescore import indexed_columns
from reeltune.search._stored_model import open_stored
from reeltune.search.caption_moments import Describes, caption_moments
from reeltune.search.engines.local import Meter, Run
from reeltune.search.engines.local_readers import Readers
from reeltune.search.report import Failed, Report, reason_of
from reeltune.search.run_log import logged
from reeltune.search.shots import MomentSettings
from reeltune.search.store import table as _table
from reeltune.search.store.changes import begin, tidy
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.outputs import require_folder
from reeltune.types import DualEncoder

DEFAULT_MODEL = "lite"
MANY_FRAGMENTS = 64  # a commit adds one; more than this slow every reader
REPORT_NAME = "last_run.json"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The user's choices; None takes what the library has, or the default in a new one."""

    model: str | None = None
    sampling: str | None = None
    device: str | None = None
    prune: Prune | None = None  # take out files below the given paths that are gone from disk
    exclude: tuple[str, ...] = ()  # patterns that are added to those of the library
    everything: bool = False  # also hidden files, and what systems and cameras keep for themselves
    follow: bool = False  # links that lead out of the given paths
    caption: Describes | None = None  # captions each moment; None: captions stay as they are


def index(
    paths: Sequence[str],
    folder: str | Path,
    choice: Choice = Choice(),
    progress: Progress | None = None,
) -> Report:
    """Bring the videos at `paths` into the library at `folder`, which is made if need be.

    Files already there are skipped, moved ones recognised, changed ones replaced. A file that
    cannot be used is named in the report and never stops the run. Raises LibraryError if another
    process writes, if the library cannot be written (what is stored by then stays sound), or if
    model or sampling differ from the library's; DataError if a path is not there.
    """
    begun, folder = time.monotonic(), Path(folder)
    is_told = choice.prune == "all"  # that what is not there is gone
    there = [path for path in paths if not is_told or Path(path).expanduser().exists()]
    stored = _stored(folder)
    exclude = merged_patterns(stored.exclude if stored else (), choice.exclude)
    found = find(there, Scope(choice.everything, choice.follow, exclude=exclude))
    if stored is None or not (choice.prune or found.excluded):
        found.required(paths)
    require_folder(folder)
    name, model = _opened(folder, choice)
    folder.mkdir(parents=True, exist_ok=True)
    report = Report(str(folder), passed_over=list(found.passed_over))
    report.failed.extend(Failed(path, why) for path, why in found.faults.items())
    with sole_writer(folder), logged(folder, paths, report), _reported(folder, report, begun):
        manifest = _agree(folder, choice, name, model)
        if not _table.exists(folder):
            _table.create(folder, manifest)
        manifest = _table.upgrade(folder, manifest)
        begin(folder, "index")
        manifest = _with_excluded(folder, manifest, exclude)
        known = Known.read(folder, paths)
        if excluded := left_out_by(found, known.by_video.values()):
            _remove(folder, excluded, report)
            known = Known.read(folder, paths)
        sampling = Sampling.parse(manifest.sampling)
        gatherer = Gatherer(model, Baseline.of_model(model), MomentSettings())
        run = Run(folder, manifest, gatherer, Meter(progress or Silent()), report)
        run.meter.progress.begin(len(found.files), sum(file.size for file in found.files))
        decoder = partial(Decoder, model.pixels, sampling)
        run.all(Readers(found.files, known, decoder, _threads(), run.meter.progress))
        if choice.prune and not report.interrupted:
            _prune(folder, paths, choice.prune, report)
        if choice.caption is not None and not report.interrupted:
            caption_moments(folder, found.files, choice.caption, run.meter.progress, report)
        many = len(_table.open_table(folder).get_fragments()) > MANY_FRAGMENTS
        if many and not report.interrupted:
            tidy(folder)
    return report


@contextmanager
def _reported(folder: Path, report: Report, begun: float) -> Iterator[None]:
    """Write the report when the run is done; where an error ended it, if it can be written."""
    try:
        yield
    except Exception as error:
        report.error = reason_of(error)
        with suppress(OSError):
            _write(folder, report, begun)
        raise
    _write(folder, report, begun)


def _write(folder: Path, report: Report, begun: float) -> None:
    report.elapsed = time.monotonic() - begun
    write_atomically(folder / REPORT_NAME, json.dumps(report.as_dict(), indent=2).encode())


def _stored(folder: Path) -> Manifest | None:
    """The manifest of a library that is there; None where one is to be made."""
    is_there = (folder / FILE_NAME).exists() or _table.exists(folder)
    return Manifest.read(folder) if is_there else None


def _opened(folder: Path, choice: Choice) -> tuple[str, DualEncoder]:
    """Open the chosen model, or that of the library, by its name; nothing is written yet."""
    stored = _stored(folder)
    Sampling.parse(choice.sampling or str(Sampling()))
    if choice.model is None and stored is not None:
        return stored.model, open_stored(folder, stored, choice.device)
    name = given(choice.model or DEFAULT_MODEL)
    name = os.path.abspath(name) if os.path.isdir(name) else name  # readable from anywhere
    model = open_encoder(name, device=choice.device)
    if stored is None:
        _try_a_picture(model)
    return name, model


def _agree(folder: Path, choice: Choice, name: str, model: DualEncoder) -> Manifest:
    """Settings of the library, or of a new one; refuses a choice that the library contradicts."""
    stored = _stored(folder)
    kept = stored.sampling if stored else None
    wanted = Manifest(
        model=name if stored is None else stored.model,
        fingerprint=model.fingerprint,
        sampling=str(Sampling.parse(choice.sampling or kept or str(Sampling()))),
        segments=str(MomentSettings()),
        **_columns(model),
    )
    if stored is None:
        wanted.write(folder)
        return wanted
    for field in ("fingerprint", "dim", "indexed", "sampling", "segments"):
        have, want = getattr(stored, field), getattr(wanted, field)
        if have != want:
            raise LibraryError(
                f"{folder} was made with {field} {have!r} (model {stored.model}), not {want!r} "
                f"(model {name}); {_otherwise(stored, choice, name, field)}index into a new "
                f"folder: reeltune index VIDEOS --library NEW --model {name}"
            )
    return stored


def _otherwise(stored: Manifest, choice: Choice, name: str, field: str) -> str:
    """The advice to leave an option out, if the library then agrees."""
    if field == "sampling":
        helps = choice.sampling and str(Sampling.parse(stored.sampling)) == stored.sampling
        return "leave --sampling out, or " if helps else ""
    helps = field != "segments" and choice.model and name != stored.model
    return "leave --model out, or " if helps else ""


def _columns(model: DualEncoder) -> dict[str, Any]:
    """Fields of the manifest that say how a vector of the model is stored."""
    indexed = indexed_columns(model)
    if indexed == model.dim:
        return {"dim": model.dim}
    return {"dim": model.dim, "indexed": indexed}


@torch.inference_mode()
def _try_a_picture(model: DualEncoder) -> None:
    """Encode a picture, so that a model that reads only stored features, or cannot score single
    queries, says so before it has a library."""
    side = model.pixels.size
    picture = torch.zeros(1, 1, 3, side, side, dtype=torch.uint8)
    video = model.encode_video(picture, torch.ones(1, 1, dtype=torch.bool))
    model.similarity(video, video)


def _prune(folder: Path, paths: Sequence[str], prune: Prune, report: Report) -> None:
    stored = list(Known.read(folder, paths).by_video.values())
    gone, report.kept = gone_below(paths, stored, prune)
    _remove(folder, gone, report)


def _remove(folder: Path, gone: Sequence[Stored], report: Report) -> None:
    _table.remove(folder, [one.video for one in gone])
    report.removed.extend(one.path for one in gone)


def _with_excluded(folder: Path, manifest: Manifest, exclude: tuple[str, ...]) -> Manifest:
    """The manifest with the patterns of what stays out of the library, also for later runs."""
    if manifest.exclude != exclude:
        manifest = manifest.excluding(exclude)
        _table.keep(folder, manifest)
    return manifest


def _threads() -> int:
    """The number of decoders: enough to keep one encoder busy, with a core left for it."""
    return max(1, min(4, (os.cpu_count() or 1) // 2))
