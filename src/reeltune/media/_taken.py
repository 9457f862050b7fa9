"""When a video was taken, as its container says; worker only."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from av.container import InputContainer

from reeltune.media.limits import LATEST

# What phones write beside the time in UTC, with the offset of the place; then what most write.
NAMES = ("com.apple.quicktime.creationdate", "creation_time")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def taken(container: InputContainer) -> int | None:
    """Microseconds since 1970 (UTC), of the whole file or else of one of its streams.

    None where the file does not say, or says no more than a clock that was never set.
    """
    for said in (container.metadata, *(stream.metadata for stream in container.streams)):
        if (time := _time(said)) is not None:
            return time
    return None


def _time(said: Mapping[str, str]) -> int | None:
    for name in NAMES:
        try:
            moment = datetime.fromisoformat(said[name].strip())
            utc = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            time = (utc - EPOCH) // timedelta(microseconds=1)
        except (KeyError, ValueError, OverflowError):
            continue
        if 0 < time <= LATEST:
            return time
    return None
