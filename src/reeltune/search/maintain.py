"""Looks after a library: says what is in it and whether it is sound, mends it and tidies it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from reeltune.errors import LibraryError
from reeltune.search._known import Known
from reeltune.search._on_disk import remark_on
from reeltune.search.store import table as _table
from reeltune.search.store.changes import tidy
from reeltune.search.store.checksum import differing
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import ANN_ROWS
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.search.store.nearest import build_index, vectors_of
from reeltune.search.store.schema import CAPTION, CAPTIONS, REST, SINCE_4, schema

AT_ONCE = 1024  # rows that are checked at once, to bound memory
CHANGED = "is not as it was written: bytes have changed on disk"
UNIT_LENGTH = 1e-3  # how far from 1 the length of a stored vector may be


@dataclass
class Health:
    """Outcome of `verify`: `faults` must be mended, `remarks` need not."""

    files: int = 0
    moments: int = 0
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)  # files at fault, as units of work

    def blame(self, unit: str, fault: str) -> None:
        """Say what is wrong with a file."""
        self.faults.append(f"unit {unit} {fault}")
        self.units.append(unit)


def info(folder: Path) -> dict[str, object]:
    """Size, settings and contents of a library."""
    manifest, table = Manifest.read(folder), _table.open_table(folder)
    firsts = table.to_table(columns=["duration", "size"], filter="part = 0")
    on_disk = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    return {
        "library": str(folder),
        "files": firsts.num_rows,
        "moments": table.count_rows(),
        **_captions(table),
        "seconds": round(pc.sum(firsts["duration"]).as_py() or 0.0, 1),
        "video_bytes": pc.sum(firsts["size"]).as_py() or 0,
        "library_bytes": on_disk,
        "version": table.version,
        "fragments": len(table.get_fragments()),
        "ann_index": bool(table.indices()),
        **manifest.model_dump(mode="json", exclude_none=True),
    }


def _captions(table: Table) -> dict[str, int]:
    if CAPTION not in table.schema.names:
        return {}
    return {"captions": table.count_rows(filter=f"{CAPTION} is not null")}


def verify(folder: Path) -> Health:
    """Check that all is as it was written, that every file is there whole and once, and that every
    vector can be searched.

    Raises LibraryError where it cannot be told which rows there are.
    """
    manifest, table = Manifest.read(folder), _table.open_table(folder)
    health = Health(faults=[f"{name} {CHANGED}" for name in table.broken_indices()])
    if not table.is_sealed():
        health.remarks.append(
            "the table is not sealed, so damage of its own files may not show; the next index run "
            "seals it"
        )
    if (told := _table.told(table)) and told.settings_hash() != manifest.settings_hash():
        health.faults.append(f"{FILE_NAME} and the table do not agree on what made the vectors")
        return health
    if not _has_layout(table.schema, manifest):
        health.faults.append("the table's columns are not those of this schema version")
        return health
    units = _Units(manifest.settings_hash())
    try:
        table.validate()
        for batch in table.scanner(batch_size=AT_ONCE).to_batches():
            rows = pa.Table.from_batches([batch])
            units.add(rows)
            health.moments += rows.num_rows
    except LibraryError as error:
        health.faults.append(str(error))
        return health
    health.files = len(units.parts)
    units.check(health)
    remarks = (remark_on(stored) for stored in Known.read(folder).by_video.values())
    health.remarks.extend(filter(None, remarks))
    return health


def _has_layout(found: pa.Schema, manifest: Manifest) -> bool:
    """Whether a table has the columns of its library; those of later versions may be absent."""
    known = {field.name: field for field in (*schema(manifest), *CAPTIONS)}
    needed = known.keys() - {field.name for field in (*SINCE_4, *CAPTIONS)}
    return needed <= set(found.names) and all(known.get(field.name) == field for field in found)


class _Units:
    """Which moments of which files there are, gathered from one batch of rows after another."""

    def __init__(self, settings_hash: str) -> None:
        self._settings = settings_hash
        self._found: defaultdict[str, Counter[int]] = defaultdict(Counter)  # how often each part
        self._places: dict[str, set[str]] = {}  # the contents that each place stands for
        self._wrong: dict[str, set[str]] = {}  # the units that have each fault of a row
        self.parts: dict[str, int] = {}  # of each unit, how many there are to be

    def add(self, rows: pa.Table) -> None:
        """Take note of a batch; of a row that is not as it was written, nothing is believed."""
        changed = differing(rows)
        self._blame(CHANGED, rows["unit"].filter(pa.array(changed)).to_pylist())
        rows = rows.filter(pa.array(~changed))
        names = ("unit", "part", "parts", "location")
        for unit, part, parts, place in zip(*(rows[n].to_pylist() for n in names), strict=True):
            self._found[unit][part] += 1
            self.parts[unit] = parts
            self._places.setdefault(place, set()).add(unit)
        units = np.array(rows["unit"].to_pylist(), dtype=str)
        for fault, wrong in _faults_of(rows):
            self._blame(fault, units[wrong].tolist())

    def _blame(self, fault: str, units: Sequence[str]) -> None:
        self._wrong.setdefault(fault, set()).update(units)

    def check(self, health: Health) -> None:
        """Say what is wrong with them all."""
        for unit, parts in self.parts.items():
            found, changed = self._found[unit], unit in self._wrong[CHANGED]
            if max(found.values()) > 1:
                health.blame(unit, f"is there {max(found.values())} times")
            if (lacks := parts - sum(part in range(parts) for part in found)) and not changed:
                health.blame(unit, f"lacks {lacks} of {parts} moments")
            if not unit.endswith(self._settings):
                health.blame(unit, "was made with other settings")
        for place, units in self._places.items():
            if len(units) > 1:
                health.faults.append(f"{place} stands for {len(units)} contents")
                health.units.extend(units)
        for fault, units in self._wrong.items():
            for unit in sorted(units):
                health.blame(unit, fault)


def _faults_of(rows: pa.Table) -> Iterator[tuple[str, Bool[np.ndarray, " N"]]]:
    """What may be wrong with N rows by themselves, and with which of them it is."""
    length = np.linalg.norm(vectors_of(rows), axis=1)
    wrong = ~(np.abs(length - 1) < UNIT_LENGTH)  # also where not finite
    yield "has vectors that are not of length 1", wrong
    if REST in rows.column_names:
        broken = ~np.isfinite(vectors_of(rows, REST)).all(axis=1)
        yield "has vectors whose rest is not finite", broken


def optimize(folder: Path) -> dict[str, object]:
    """Join fragments, drop old versions, and build or extend the ANN index where it pays."""
    Manifest.read(folder)
    with sole_writer(folder):
        tidy(folder)
        if _table.open_table(folder).count_rows() > ANN_ROWS:
            build_index(_table.open_table(folder))
    return info(folder)
