"""Hits as a file to keep."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Literal

from reeltune.records import Hit
from reeltune.search.hit_fields import fields_of

Format = Literal["json", "csv"]
PLAIN = ("path", "location", "start", "end", "score", "confidence", "date", "caption")
WORDS = ("said", "shown")
IDS = ("id", "file")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets begin to compute at
KINDS: dict[Format, str] = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


def exported(hits: Sequence[Hit], form: Format) -> bytes:
    """The hits, best first, in one of the formats."""
    if form == "json":
        return json.dumps([*map(fields_of, hits)], indent=2).encode()
    page = io.StringIO()
    writer = csv.writer(page)
    writer.writerow([*PLAIN, *WORDS, *IDS])
    for hit in hits:
        words = [None if said is None else said.text for said in (hit.said, hit.shown)]
        cells = [getattr(hit, name) for name in PLAIN] + words + [getattr(hit, n) for n in IDS]
        writer.writerow([_harmless(cell) for cell in cells])
    return page.getvalue().encode()


def _harmless(cell: object) -> object:
    """A cell in which a spreadsheet sees no formula, whatever a file is called."""
    is_formula = isinstance(cell, str) and cell.startswith(FORMULA)
    return f"'{cell}" if is_formula else cell
