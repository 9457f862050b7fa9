"""Hits as plain data, as `--json` and the API give them, and hits of such data again."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from reeltune.types import Hit, Quoted


def fields_of(hit: Hit) -> dict[str, Any]:
    """Every field of a hit, and of the words that are a reason for it."""
    return asdict(hit)


def hit_of(fields: Mapping[str, Any]) -> Hit:
    """The hit that has these fields."""
    words = {name: _quoted(fields[name]) for name in ("said", "shown")}
    return Hit(**{**fields, **words})


def _quoted(fields: Mapping[str, Any] | None) -> Quoted | None:
    if fields is None:
        return None
    marks = tuple((start, end) for start, end in fields["marks"])
    return Quoted(**{**fields, "marks": marks})
