"""Finds what a library holds of files that are excluded now."""

from collections.abc import Iterable
from pathlib import Path

from reeltune.media.files import Listing
from reeltune.search._known import Stored


def left_out_by(found: Listing, stored: Iterable[Stored]) -> list[Stored]:
    """The stored files that a search of folders excluded, alone or with a folder above them.

    A file that was found as well, because it was given by name, stays.
    """
    out = set(found.excluded)
    wanted = {file.location for file in found.files}
    return [
        one
        for one in stored
        if one.location not in wanted
        and (one.location in out or any(str(above) in out for above in Path(one.location).parents))
    ]
