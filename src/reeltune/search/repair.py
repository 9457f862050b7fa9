"""Mends a library: keeps every row that can be read, and sets aside what it cannot use."""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from reeltune.errors import LibraryError
from reeltune.search.maintain import verify
from reeltune.search.store import changes
from reeltune.search.store import table as _table
from reeltune.search.store.dataset import Fragment, Table, manifests
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.manifest import FILE_NAME, Manifest, require_not_newer

ASIDE = "set_aside"  # a folder in the library, for what no command reads any more


def repair(folder: Path, go_back: bool = False) -> list[str]:
    """Mend what `verify` finds; returns what was done, in words.

    Files at fault are taken out, so that the next `index` run makes them again. A part of the table
    that cannot be read costs the files in it and no others. Only where the newest version itself
    cannot be opened, and `go_back` allows it, the newest one that can be takes its place; what was
    there is set aside in the library's folder and never deleted.

    Errors: `LibraryError` where there is no library, where a newer Reeltune wrote it, where going
    back is needed and not allowed, and where nothing can be read.
    """
    done: list[str] = []
    require_not_newer(folder)
    if not (folder / FILE_NAME).exists() and not _table.exists(folder):
        Manifest.read(folder)  # says that there is no library
    with sole_writer(folder):
        _restore_table(folder, go_back, done)
        _drop_unreadable(_table.open_table(folder), done)
        _restore_manifest(folder, done)
        health = verify(folder)
        if health.units:
            listed = ", ".join(f"'{unit}'" for unit in set(health.units))
            _table.open_table(folder).delete(f"unit IN ({listed})")
            done.append(f"took out {len(set(health.units))} files at fault; index them again")
    return done


def _restore_table(folder: Path, go_back: bool, done: list[str]) -> None:
    """Bring back a table that can be opened."""
    path = folder / _table.NAME
    if not _table.exists(folder):
        kept = Manifest.read(folder)
        if path.exists():
            _set_aside(folder, path)
        _table.create(folder, kept)
        done.append("made the missing table, empty; index the videos again")
        return
    unusable: list[Path] = []
    for version, manifest in manifests(path):
        if not _opens(path, version):
            unusable.append(manifest)
            continue
        if not unusable:
            return
        files = _files_of(Table.open(path, version))
        if not go_back:
            raise LibraryError(
                f"the newest version of {path} cannot be opened, and the newest one that can is "
                f"version {version} with {files} files; later ones are to be indexed again. "
                f"Go back to it by: reeltune library repair {folder} --yes"
            )
        for manifest in unusable:
            _set_aside(folder, manifest)
        (folder / changes.FILE_NAME).unlink(missing_ok=True)  # numbers of versions it names
        done.append(
            f"went back to version {version} with {files} files, the newest that can be opened; "
            "index the videos again"
        )
        return
    raise LibraryError(
        f"{folder} cannot be mended: no version of its table can be opened; "
        f"index again: reeltune index VIDEOS --library NEW"
    )


def _opens(path: Path, version: int) -> bool:
    try:
        Table.open(path, version).get_fragments()
    except LibraryError:
        return False
    return True


def _files_of(table: Table) -> int:
    """How many files the parts of a table have that can be read."""
    parts = [part for part in table.get_fragments() if _is_readable(part)]
    columns = [part.scanner(columns=["unit"]).to_table()["unit"] for part in parts]
    return len({unit for column in columns for unit in column.to_pylist()})


def _is_readable(part: Fragment) -> bool:
    try:
        for _ in part.scanner().to_batches():
            pass
    except LibraryError:
        return False
    return True


def _drop_unreadable(table: Table, done: list[str]) -> None:
    """Take out the parts of a table that cannot be read, as rows that are queued for `index`."""
    lost = [part for part in table.get_fragments() if not _is_readable(part)]
    if not lost:
        return
    rows = sum(part.physical_rows for part in lost)
    table.drop_fragments([part.fragment_id for part in lost])
    done.append(
        f"took out {rows} moments in {len(lost)} damaged parts of the table; index the videos again"
    )


def _set_aside(folder: Path, path: Path) -> None:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    (folder / ASIDE).mkdir(exist_ok=True)
    path.rename(folder / ASIDE / f"{now}-{path.name}")


def _restore_manifest(folder: Path, done: list[str]) -> None:
    try:
        Manifest.read(folder)
    except LibraryError:
        columns = _table.open_table(folder).schema
        try:
            kept = Manifest.model_validate_json((columns.metadata or {}).get(b"reeltune", b""))
        except ValidationError as error:
            raise LibraryError(
                f"{folder} cannot be mended: neither {FILE_NAME} nor the table says what made it; "
                f"index again: reeltune index VIDEOS --library NEW"
            ) from error
        if (folder / FILE_NAME).exists():
            _set_aside(folder, folder / FILE_NAME)
        kept.upgraded().write(folder)
        _table.upgrade(folder, kept)
        done.append(f"wrote {FILE_NAME} again from the table")
