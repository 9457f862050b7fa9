"""Compares what a library says of a file with the file on disk, without reading it."""

from reeltune.errors import in_short
from reeltune.search._known import Stored
from reeltune.search._places import status_of
from reeltune.search._prune import is_absent
from reeltune.search.store.schema import kept_time


def remark_on(stored: Stored) -> str:
    """What is to be known of a file: that it is gone, cannot be looked at, or is not as stored;
    empty if nothing is."""
    place = stored.location
    if is_absent(place):
        return f"{place} is gone; reeltune index DIR --prune takes it out"
    try:
        status = status_of(place)
    except OSError as error:
        return f"{place} cannot be looked at ({in_short(error)})"
    found = status.st_size, kept_time(status.st_mtime_ns)
    if found == (stored.size, stored.modified_ns):
        return ""
    what = "size" if status.st_size != stored.size else "time of change"
    return f"{place} has another {what} than is stored; reeltune index DIR brings it up to date"
