"""Times as people and programs read them."""

from datetime import UTC, datetime


def as_text(moment: datetime) -> str:
    """A time in UTC and ISO 8601, as `2026-06-01T18:30:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
