"""Times as people and programs read them."""

import math
import re
from datetime import UTC, datetime

from reeltune.errors import ConfigError

CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)")


def as_text(moment: datetime) -> str:
    """A time in UTC and ISO 8601, as `2026-06-01T18:30:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def seconds(text: str) -> float:
    """A time in a video, as `1:02:03.4`, `2:03` or `123`, in seconds; raises ConfigError for
    anything else."""
    parts = CLOCK.fullmatch(text.strip())
    if parts is None or not math.isfinite(float(parts[3])):
        raise ConfigError(f"{text!r} is no time in a video; write it as 90 or 1:30")
    hours, minutes, rest = (float(part or 0) for part in parts.groups())
    if (parts[2] and rest >= 60) or (parts[1] and minutes >= 60):
        raise ConfigError(
            f"{text!r} is no time in a video, as an hour has 60 minutes and a minute 60 seconds; "
            "write it as 90 or 1:30"
        )
    return 3600 * hours + 60 * minutes + rest


def clock(seconds: float) -> str:
    """Whole seconds as `1:02:03` or `2:03`; the reverse of `seconds`."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
