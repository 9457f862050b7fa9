"""Looks after a library: says what is in it and whether it is sound, mends it and tidies it."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa

from reeltune.errors import LibraryError
from reeltune.models.text_towers import known
from reeltune.search._inspection import Faults, Kind, inspect, not_of_length
from reeltune.search._known import Known
from reeltune.search._on_disk import remark_on
from reeltune.search.holdings import info
from reeltune.search.store import table as _table
from reeltune.search.store import texts as _texts
from reeltune.search.store.changes import tidy
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import ANN_ROWS
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.search.store.nearest import build_index, vectors_of
from reeltune.search.store.schema import CAPTIONS, REST, SINCE_4, schema
from reeltune.storage.place import Place


@dataclass
class Health:
    """Outcome of `verify`: `faults` must be mended, `remarks` need not."""

    files: int = 0
    moments: int = 0
    phrases: int = 0  # words that are said or shown
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)  # files at fault, as units of work
    text_units: list[str] = field(default_factory=list)  # channels of words of files at fault


def verify(folder: Place) -> Health:
    """Check that all is as it was written, that every file is there whole and once, and that every
    vector can be searched.

    Raises LibraryError where it cannot be told which rows there are.
    """
    manifest, table = Manifest.read(folder), _table.open_table(folder)
    kind = Kind(
        table="the table is",
        rows="moments",
        place=("location",),
        ends=manifest.settings_hash(),
        refused=partial(_refused, manifest),
        faults=_faults_of,
    )
    found = inspect(table, kind)
    health = Health(
        files=found.whole,
        moments=found.rows,
        faults=found.faults,
        remarks=found.remarks,
        units=found.units,
    )
    _verify_texts(folder, manifest, health)
    _verify_model(manifest, health)
    if not found.whole:
        return health
    remarks = (remark_on(stored) for stored in Known.read(folder).by_video.values())
    health.remarks.extend(filter(None, remarks))
    return health


def _refused(manifest: Manifest, table: Table) -> str:
    """Why the moments of a table cannot be looked at; empty if they can."""
    told = _table.told(table)
    if told and told.settings_hash() != manifest.settings_hash():
        return f"{FILE_NAME} and the table do not agree on what made the vectors"
    if not _has_layout(table.schema, manifest):
        return "the table's columns are not those of this schema version"
    return ""


def _has_layout(found: pa.Schema, manifest: Manifest) -> bool:
    """Whether a table has the columns of its library; those of later versions may be absent."""
    fields = {field.name: field for field in (*schema(manifest), *CAPTIONS)}
    needed = fields.keys() - {field.name for field in (*SINCE_4, *CAPTIONS)}
    return needed <= set(found.names) and all(fields.get(field.name) == field for field in found)


def _faults_of(rows: pa.Table) -> Faults:
    """What may be wrong with moments by themselves, and with which of them it is."""
    yield "has vectors that are not of length 1", not_of_length(rows, 1.0)
    if REST in rows.column_names:
        broken = ~np.isfinite(vectors_of(rows, REST)).all(axis=1)
        yield "has vectors whose rest is not finite", broken


def _verify_texts(folder: Place, manifest: Manifest, health: Health) -> None:
    """Check the words of the library; where they cannot be opened, that is a fault of theirs."""
    try:
        table = _texts.open_texts(folder)
    except LibraryError as error:
        health.faults.append(str(error))
        return
    if table is None:
        if missing := _texts.missing(folder, manifest):
            health.remarks.append(missing)
        return
    found = inspect(table, TEXTS)
    health.faults.extend(found.faults)
    health.remarks.extend(found.remarks)
    health.text_units = found.units
    health.phrases = table.count_rows(filter=_texts.PHRASES) if not found.faults else 0


def _verify_model(manifest: Manifest, health: Health) -> None:
    """Read the files of the model whole, where searches take it for what it was; a model that is
    not here is no matter of the library."""
    found = known.stored(manifest.model, manifest.fingerprint)
    if found is not None and not found.is_current(anew=True):
        known.forget(found)
        health.remarks.append(
            f"the files of model {manifest.model} are not as they were when its fingerprint was "
            "taken; the next search opens it whole and says whether it is still the same"
        )


def _refused_texts(table: Table) -> str:
    is_known = table.schema.equals(_texts.SCHEMA)
    return "" if is_known else f"the columns of {_texts.NAME} are not those of this schema version"


def _faults_of_texts(rows: pa.Table) -> Faults:
    has_text = np.array([parts > 0 for parts in rows["parts"].to_pylist()], dtype=float)
    yield "has vectors that are not of their length", not_of_length(rows, has_text)


TEXTS = Kind(
    table=f"{_texts.NAME} is",
    rows="phrases",
    place=("channel", "video"),
    refused=_refused_texts,
    faults=_faults_of_texts,
)


def optimize(folder: Place) -> dict[str, object]:
    """Join fragments, drop old versions, and build or extend the ANN index where it pays."""
    Manifest.read(folder)
    with sole_writer(folder):
        tidy(folder)
        if _table.open_table(folder).count_rows() > ANN_ROWS:
            build_index(_table.open_table(folder))
    return info(folder)
