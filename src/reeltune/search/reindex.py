"""Makes a library anew with another model, beside the one that is searched meanwhile.

The new one grows in a folder within the library, as any library does, so a run that was stopped or
killed goes on. When it is whole, its table is moved beside the old one, and the manifest, which
names the table in use, is replaced in one step.
"""

from dataclasses import dataclass, field

from reeltune.errors import LibraryError, counted
from reeltune.media.files import Candidate
from reeltune.media.progress import Progress
from reeltune.search._known import Known, Stored
from reeltune.search._prune import is_absent
from reeltune.search.creation import encoder_for, manifest_of
from reeltune.search.encoder import Encoder
from reeltune.search.ingest import Choice, index
from reeltune.search.report import Failed, Report
from reeltune.search.store import table as _table
from reeltune.search.store.changes import drop_spare_tables, replace_table
from reeltune.search.store.gallery import ANN_ROWS
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.manifest import Choices, Manifest
from reeltune.search.store.nearest import build_index
from reeltune.search.store.schema import CAPTION, CAPTIONED_BY, RIDING
from reeltune.storage.place import Place, move, remove_tree

PLACE = "reindex"  # the folder in a library where the new one grows


@dataclass
class Reindexed:
    """What became of a library that is made anew."""

    library: str
    model: str  # the new one
    files: int = 0  # that the new one has
    moments: int = 0
    in_use: bool = False  # whether searches see the new one
    missing: list[Failed] = field(default_factory=list)  # files of the old one that it lacks
    captions_lost: int = 0  # whose moment has other times in the new one
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0: all is there, 3: something is missing."""
        return 3 if self.missing or self.captions_lost else 0


def reindex(
    folder: Place,
    model: str,
    device: str | None = None,
    drop_missing: bool = False,
    progress: Progress | None = None,
    width: int | None = None,
) -> Reindexed:
    """Encode the videos of a library with another model, or with vectors of another `width`, and
    search the result when it is whole.

    Files that cannot be read now keep the library as it is, unless `drop_missing` says that the new
    one may lack them. What was made is kept for the next call with the same model, and `undo` goes
    back to the old one until the next change.

    Raises LibraryError where the library has this model already, where none of its files is there,
    or where another process writes.
    """
    old, inner = Manifest.read(folder), folder / PLACE
    encoder = encoder_for(inner, model, old.sampling, device, width)
    _require_other(folder, old, encoder)
    with sole_writer(folder):
        drop_spare_tables(folder)
        _require_of_model(inner, encoder)
        stored = Known.read(folder).by_video
        there = [one.location for one in stored.values() if not is_absent(one.location)]
        if not there:
            raise LibraryError(
                f"none of the {counted(len(stored), 'file')} of {folder} is on disk now, and all "
                "would be read again; connect their drive, or say where they are by reeltune "
                "library relocate"
            )
        report = index(there, inner, Choice(sampling=old.sampling), progress, encoder)
        done = Reindexed(str(folder), encoder.name, interrupted=report.interrupted)
        if not report.interrupted:
            _settle_files(inner, stored)
            done.missing = _missing(inner, stored, report)
            if drop_missing or not done.missing:
                done.captions_lost = _carry_captions(folder, inner)
                _switch(folder, inner, old)
                encoder.keep_usual(folder, encoder.arrays.fingerprint)
                done.in_use = True
        table = _table.open_table(folder if done.in_use else inner)
        done.files, done.moments = table.count_rows("part = 0"), table.count_rows()
    return done


def _require_other(folder: Place, old: Manifest, encoder: Encoder) -> None:
    """Raise LibraryError for the model that a library has already."""
    made = encoder.arrays.fingerprint, encoder.arrays.dim, encoder.precision[0]
    if made == (old.fingerprint, old.dim, old.precision):
        raise LibraryError(
            f"{folder} has the model {old.model} already; give another by --model, or bring the "
            "library up to date: reeltune index VIDEOS"
        )


def _require_of_model(inner: Place, encoder: Encoder) -> None:
    """Throw away what an earlier call made with another model."""
    try:
        begun = manifest_of(inner)
    except LibraryError:
        begun = None
    made = encoder.arrays.fingerprint, encoder.precision[0]
    if begun is None or (begun.fingerprint, begun.precision) != made:
        remove_tree(inner)


def _settle_files(inner: Place, stored: dict[str, Stored]) -> None:
    """Leave in the new library only files of the old one, under the paths that these have."""
    made, places = Known.read(inner).by_video, {one.location for one in stored.values()}
    gone = [
        video for video, one in made.items() if video not in stored and one.location not in places
    ]
    _table.remove(inner, gone)
    same = {video: stored[video] for video in made.keys() & stored.keys()}
    _table.place(
        inner,
        {
            video: Candidate(one.path, one.location, one.size, one.modified_ns)
            for video, one in same.items()
        },
    )


def _missing(inner: Place, stored: dict[str, Stored], report: Report) -> list[Failed]:
    """Files of the old library that the new one has neither by content nor by place, and why."""
    made = Known.read(inner)
    why = {failed.path: failed.reason for failed in report.failed}
    why |= dict.fromkeys(report.waiting, "is still being written")
    return [
        Failed(one.path, why.get(one.location, "is not there"))
        for video, one in stored.items()
        if video not in made.by_video and one.location not in made.by_location
    ]


def _carry_captions(folder: Place, inner: Place) -> int:
    """Give moments of the new library the captions of those of the same times; returns how many
    captions found none."""
    table = _table.open_table(folder)
    if CAPTION not in table.schema.names:
        return 0
    columns = ["location", "start", "end", CAPTION, CAPTIONED_BY]
    rows = table.to_table(columns=columns, filter=f"{CAPTION} is not null").to_pylist()
    carried = 0
    for by in sorted({row[CAPTIONED_BY] for row in rows}):
        of_it = {_moment(row): row[CAPTION] for row in rows if row[CAPTIONED_BY] == by}
        lacking = {row["id"]: _moment(row) for row in _table.uncaptioned(inner, by)}
        found = {id: of_it[moment] for id, moment in lacking.items() if moment in of_it}
        if found:
            _table.write_captions(inner, found, by)
        carried += len(found)
    return len(rows) - carried


def _moment(row: dict[str, object]) -> tuple[object, ...]:
    return row["location"], row["start"], row["end"]


def _switch(folder: Place, inner: Place, old: Manifest) -> None:
    """Move the new table beside the old one, and have the library use it."""
    made, name = Manifest.read(inner), _table.next_name(folder)
    kept = {*Choices._fields, "table"}
    vectors = {key: getattr(made, key) for key in Manifest.model_fields if key not in kept}
    new = old.model_copy(update=vectors | {"table": name})
    table = _table.open_table(inner)
    if table.count_rows() > ANN_ROWS:
        build_index(table)
    _table.open_table(inner).write_metadata({RIDING: new.as_json()})
    move(_table.path_of(inner), folder / name)
    replace_table(folder, new, "reindex")
    remove_tree(inner)
