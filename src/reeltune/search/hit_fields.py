"""Hits as plain data, as `--json` and the API give them."""

from dataclasses import asdict
from typing import Any

from reeltune.records import Hit


def fields_of(hit: Hit) -> dict[str, Any]:
    """Every field of a hit, and of the words that are a reason for it."""
    return asdict(hit)
