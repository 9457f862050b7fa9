"""Indexes files: decodes, encodes and appends them.

One file is one unit of work, so a killed run resumes.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from reeltune.errors import ConfigError
from reeltune.media.decoder import Decoder
from reeltune.media.files import Listing, Scope, find, merged_patterns
from reeltune.media.paths import Paths, each_of
from reeltune.media.progress import Progress, Silent
from reeltune.media.sampling import Sampling
from reeltune.search._excluded import left_out_by
from reeltune.search._gather import Gatherer
from reeltune.search._known import Known, Stored
from reeltune.search._prune import Prune, gone_below
from reeltune.search.caption_moments import caption_moments
from reeltune.search.channels.channel import Teller, Words
from reeltune.search.channels.tellers import read_beside, tellers_of
from reeltune.search.choice import Choice as Choice
from reeltune.search.choice import Engine as Engine
from reeltune.search.choice import Options as Options
from reeltune.search.creation import encoder_for, manifest_of, settle
from reeltune.search.encoder import Encoder
from reeltune.search.engines.local import Meter, Run
from reeltune.search.engines.local_readers import LocalWorker, Readers, Worker
from reeltune.search.report import Failed, Report, reason_of
from reeltune.search.run_log import logged
from reeltune.search.shots import MomentSettings
from reeltune.search.store import table as _table
from reeltune.search.store import texts as _texts
from reeltune.search.store.changes import begin, tidy
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.manifest import Choices, Manifest
from reeltune.search.tell_files import tell_files
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.outputs import require_folder
from reeltune.storage.place import Place, place

MANY_FRAGMENTS = 64  # a commit adds one; more than this slow every reader
REPORT_NAME = "last_run.json"


def index(
    paths: Paths,
    folder: str | Place,
    choice: Choice = Choice(),
    progress: Progress | None = None,
    encoder: Encoder | None = None,
) -> Report:
    """Bring the videos at `paths` into the library at `folder`, which is made if need be.

    A path is a video, or a folder that stands for the videos below it. Files already there are
    skipped, moved ones recognised, changed ones replaced. A file that cannot be used is named in
    the report and never stops the run; Ctrl-C ends it, and the report then says `interrupted`.
    `encoder` is the library's model, where the caller has it already.

    Raises LibraryError if another process writes, if the library cannot be written (what is stored
    by then stays sound), or if model or sampling differ from the library's; DataError if a path is
    not there.
    """
    if choice.address is not None and choice.engine != "ray":
        raise ConfigError("an address is that of a cluster of Ray; add --engine ray")
    begun, paths, folder = time.monotonic(), each_of(paths), place(*each_of(str(folder)))
    is_told = choice.prune == "all"  # that what is not there is gone
    there = [path for path in paths if not is_told or place(path).exists()]
    stored = manifest_of(folder)
    exclude = merged_patterns(stored.exclude if stored else (), choice.exclude)
    chosen = _chosen(stored, choice, exclude)
    scope = Scope(choice.everything, choice.follow, exclude=exclude, beside=read_beside(chosen))
    found = find(there, scope)
    if stored is None or not (choice.prune or found.excluded):
        found.required(paths)
    require_folder(folder)
    tellers = tellers_of(chosen)
    encoder = encoder or encoder_for(
        folder, choice.model, choice.sampling, choice.device, choice.width
    )
    if stored is None or not encoder.has_made(stored):
        _ = encoder.baseline  # tries the model before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    report = Report(str(folder), passed_over=list(found.passed_over))
    report.waiting.extend(_leave_unsettled(found, choice.settled))
    report.failed.extend(Failed(path, why) for path, why in found.faults.items())
    with sole_writer(folder), logged(folder, paths, report), _reported(report, found, begun):
        manifest = settle(folder, encoder, choice.model, choice.sampling)
        encoder.keep_usual(folder, manifest.fingerprint)
        manifest = _table.upgrade(folder, manifest)
        _texts.seal(folder)
        begin(folder, "index")
        manifest = _remembering(folder, manifest, chosen)
        gatherer = Gatherer(encoder, MomentSettings())
        run = Run(folder, manifest, gatherer, Meter(progress or Silent()), report)
        contents = _bring_in(run, paths, found, choice, encoder)
        if choice.prune and not report.interrupted:
            _prune(folder, paths, choice.prune, report)
        if choice.caption is not None and not report.interrupted:
            caption_moments(folder, found.files, choice.caption, run.meter.progress, report)
        _tell(run, contents, tellers)
        if not report.interrupted:
            _clean_up(folder)
    return report


def _chosen(stored: Manifest | None, choice: Choice, exclude: tuple[str, ...]) -> Choices:
    """What this run and later ones do, which is as before where nothing else is chosen.

    Who names what hears speech wants it heard; raises ConfigError where it is not to be.
    """
    if choice.speech is not None and choice.hear is False:
        raise ConfigError(
            f"speech is {choice.speech!r}, and no speech is to be heard; leave out --speech, or "
            "--no-hear"
        )
    kept = stored.choices if stored else Choices()
    wanted: dict[Words, bool | None] = {
        "said": choice.hear if choice.speech is None else True,
        "shown": choice.read,
    }
    return Choices(
        exclude=exclude,
        channels=tuple(
            name
            for name, is_on in wanted.items()
            if is_on or (is_on is None and name in kept.channels)
        ),
        speech=kept.speech if choice.speech is None else _from_anywhere(choice.speech),
    )


def _leave_unsettled(found: Listing, settled: float) -> list[str]:
    """Leave out the files that changed less than so many seconds ago; returns their paths."""
    now, every = time.time(), found.files
    found.files = [file for file in every if abs(now - file.modified_ns / 1e9) >= settled]
    taken = {file.location for file in found.files}
    return [file.path for file in every if file.location not in taken]


def _from_anywhere(name: str) -> str:
    """The name of what hears speech, absolute where it is a folder."""
    return os.path.abspath(name) if os.path.isdir(name) else name


def _bring_in(
    run: Run, paths: Sequence[str], found: Listing, choice: Choice, encoder: Encoder
) -> list[str]:
    """Take out what is excluded now, and bring in what is new, for which the model is opened;
    returns the contents of the files that were found."""
    known = Known.read(run.folder, paths)
    if excluded := left_out_by(found, known.by_video.values()):
        _remove(run.folder, excluded, run.report)
        known = Known.read(run.folder, paths)
    progress = run.meter.progress
    progress.begin(len(found.files), sum(file.size for file in found.files))
    run.report.precision = run.manifest.precision
    with _workers(run, choice, encoder) as (count, worker):
        run.all(Readers(found.files, known, worker, count, progress))
    return known.contents(found.files)


def _tell(run: Run, contents: Sequence[str], tellers: Sequence[Teller]) -> None:
    """Find the words of these contents."""
    if not tellers or run.report.interrupted:
        return
    stored = Known.read(run.folder).by_video
    files = [stored[content] for content in contents if content in stored]
    tell_files(run.folder, files, tellers, run.meter, run.report)


def _clean_up(folder: Place) -> None:
    """Take out texts of contents that are gone, and join the fragments of many commits."""
    _texts.sweep(folder)
    tables = filter(None, (_table.open_table(folder), _texts.open_texts(folder)))
    if any(len(table.get_fragments()) > MANY_FRAGMENTS for table in tables):
        tidy(folder)


@contextmanager
def _reported(report: Report, found: Listing, begun: float) -> Iterator[None]:
    """Write the report when the run is done; where an error ended it, if it can be written."""

    def write() -> None:
        report.elapsed = time.monotonic() - begun
        report.arrange([file.path for file in found.files])
        said = json.dumps(report.as_dict(), indent=2).encode()
        write_atomically(place(report.library) / REPORT_NAME, said)

    try:
        yield
    except Exception as error:
        report.error = reason_of(error)
        with suppress(OSError):
            write()
        raise
    write()


def _prune(folder: Place, paths: Sequence[str], prune: Prune, report: Report) -> None:
    stored = list(Known.read(folder, paths).by_video.values())
    gone, report.kept = gone_below(paths, stored, prune)
    _remove(folder, gone, report)


def _remove(folder: Place, gone: Sequence[Stored], report: Report) -> None:
    _table.remove(folder, [one.video for one in gone])
    report.removed.extend(one.path for one in gone)


def _remembering(folder: Place, manifest: Manifest, choices: Choices) -> Manifest:
    """The manifest with what later runs do as well, which is written where that has changed."""
    if manifest.choices != choices:
        manifest = manifest.choosing(choices)
        _table.keep(folder, manifest)
    return manifest


@contextmanager
def _workers(
    run: Run, choice: Choice, encoder: Encoder
) -> Iterator[tuple[int, Callable[[], Worker]]]:
    """How many workers read files, and what makes one."""
    if choice.engine == "ray":
        from reeltune.search.engines.ray import crew

        with crew(run.folder, run.manifest, choice.device, choice.address) as workers:
            yield workers
        return
    sampling = Sampling.parse(run.manifest.sampling)
    yield _threads(), lambda: LocalWorker(lambda: Decoder(encoder.arrays.pixels, sampling))


def _threads() -> int:
    """The number of decoders: one a core, since they wait where the encoder is slower than they
    are."""
    return min(4, os.cpu_count() or 1)
