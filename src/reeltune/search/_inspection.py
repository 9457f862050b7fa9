"""Reads every row of a table, and says what is wrong with which units of work."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float

from reeltune.errors import LibraryError
from reeltune.search.store.checksum import differing
from reeltune.search.store.dataset import Table
from reeltune.search.store.nearest import vectors_of

AT_ONCE = 1024  # rows that are checked at once, to bound memory
CHANGED = "is not as it was written: bytes have changed on disk"
UNIT_LENGTH = 1e-3  # how far from its own the length of a stored vector may be
Faults = Iterator[tuple[str, Bool[np.ndarray, " N"]]]  # and which of N rows have each


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the rows of a table are to be."""

    table: str  # what the table is called
    rows: str  # what its rows are called, more than one
    place: tuple[str, ...]  # the columns of which no two units have the same values
    ends: str = ""  # how the name of each unit ends
    refused: Callable[[Table], str]  # why rows cannot be looked at; empty if they can
    faults: Callable[[pa.Table], Faults]  # what may be wrong with rows by themselves


@dataclass
class Inspection:
    """What is wrong with a table, and what should be known of it."""

    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)  # those at fault
    rows: int = 0
    whole: int = 0  # how many units there are

    def blame(self, unit: str, fault: str) -> None:
        """Say what is wrong with a unit."""
        self.faults.append(f"unit {unit} {fault}")
        self.units.append(unit)


def inspect(table: Table, kind: Kind) -> Inspection:
    """Look at all that a table holds; what is at fault is told and not raised."""
    found = Inspection(faults=[f"{name} {CHANGED}" for name in table.broken_indices()])
    if not table.is_sealed():
        found.remarks.append(
            f"{kind.table} not sealed, so damage of its own files may not show; the next index run "
            "seals it"
        )
    if why := kind.refused(table):
        found.faults.append(why)
        return found
    units = _Units(kind)
    try:
        table.validate()
        for batch in table.scanner(batch_size=AT_ONCE).to_batches():
            rows = pa.Table.from_batches([batch])
            units.add(rows)
            found.rows += rows.num_rows
    except LibraryError as error:
        found.faults.append(str(error))
        return found
    found.whole = len(units.parts)
    units.check(found)
    return found


def not_of_length(
    rows: pa.Table, length: Float[np.ndarray, " N"] | float
) -> Bool[np.ndarray, " N"]:
    """Which rows have a vector whose length is another, or not finite."""
    return ~(np.abs(np.linalg.norm(vectors_of(rows), axis=1) - length) < UNIT_LENGTH)


class _Units:
    """Which parts of which units there are, gathered from one batch of rows after another."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._found: defaultdict[str, Counter[int]] = defaultdict(Counter)  # how often each part
        self._places: dict[str, set[str]] = {}  # the units that stand for each place
        self._wrong: dict[str, set[str]] = {}  # the units that have each fault of a row
        self.parts: dict[str, int] = {}  # of each unit, how many there are to be

    def add(self, rows: pa.Table) -> None:
        """Take note of a batch; of a row that is not as it was written, nothing is believed."""
        changed = differing(rows)
        self._blame(CHANGED, rows["unit"].filter(pa.array(changed)).to_pylist())
        rows = rows.filter(pa.array(~changed))
        names = ("unit", "part", "parts", *self._kind.place)
        for unit, part, parts, *place in zip(*(rows[n].to_pylist() for n in names), strict=True):
            self._found[unit][part] += 1
            self.parts[unit] = parts
            self._places.setdefault(" of ".join(place), set()).add(unit)
        units = np.array(rows["unit"].to_pylist(), dtype=str)
        for fault, wrong in self._kind.faults(rows):
            self._blame(fault, units[wrong].tolist())

    def _blame(self, fault: str, units: Sequence[str]) -> None:
        self._wrong.setdefault(fault, set()).update(units)

    def check(self, found: Inspection) -> None:
        """Say what is wrong with them all."""
        for unit, parts in self.parts.items():
            there, changed = self._found[unit], unit in self._wrong[CHANGED]
            if max(there.values()) > 1:
                found.blame(unit, f"is there {max(there.values())} times")
            if (lacks := parts - sum(part in range(parts) for part in there)) and not changed:
                found.blame(unit, f"lacks {lacks} of {parts} {self._kind.rows}")
            if not unit.endswith(self._kind.ends):
                found.blame(unit, "was made with other settings")
        for place, units in self._places.items():
            if len(units) > 1:
                found.faults.append(f"{place} stands for {len(units)} contents")
                found.units.extend(units)
        for fault, units in self._wrong.items():
            for unit in sorted(units):
                found.blame(unit, fault)
