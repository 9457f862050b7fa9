"""Takes files out of a library that are gone from disk, where the disk can be trusted to say so.

A drive that is not mounted and a folder that may not be read look like files that were deleted. So
a file counts as gone only if the system says that it does not exist and the folders above it could
be listed. Where most files seem gone, or a folder is empty, they stay unless `all` is asked for.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from reeltune.errors import counted, in_short
from reeltune.search._known import Stored
from reeltune.search._places import is_below, place_of, status_of
from reeltune.search.report import Failed
from reeltune.storage.fetched import is_in_store
from reeltune.storage.object_path import ObjectPath

Prune = Literal["gone", "all"]
ADVICE = "is its drive mounted? --prune=all takes out what is gone for good"


def gone_below(
    roots: Sequence[str], stored: Sequence[Stored], prune: Prune
) -> tuple[list[Stored], list[Failed]]:
    """The files to take out, of those below `roots`, and the folders whose files stay although
    they seem gone, with the reason."""
    gone: dict[str, Stored] = {}
    kept: dict[str, str] = {}  # folder -> why
    for root in map(place_of, roots):
        below = [one for one in stored if is_below(one.location, root)]
        absent = [one for one in below if is_absent(one.location)]
        # Folders are listed after that: a drive that was lost meanwhile shows now.
        doubts = {} if prune == "all" or not absent else _doubts(root, absent, len(below))
        kept |= doubts
        gone |= {
            one.video: one
            for one in absent
            if not any(is_below(one.location, folder) for folder in doubts)
        }
    return list(gone.values()), [
        Failed(folder, f"nothing was taken out: it {reason}; {ADVICE}")
        for folder, reason in kept.items()
    ]


def is_absent(location: str) -> bool:
    """Whether the system says that no file is there; False if it cannot say."""
    try:
        if is_in_store(location):
            status_of(location)
            return False
        return stat.S_ISDIR(os.stat(location).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _doubts(root: str, absent: Sequence[Stored], files: int) -> dict[str, str]:
    """Folders whose files may be there after all, and why: the root, or some below it."""
    if reason := _doubt(root):
        return {root: reason}
    if 2 * len(absent) > files:
        return {root: f"lacks {len(absent)} of its {counted(files, 'file')}"}
    folders = {
        str(parent)
        for one in absent
        for parent in Path(one.location).parents
        if is_below(str(parent), root) and os.path.isdir(parent)
    }
    return {folder: reason for folder in sorted(folders) if (reason := _doubt(folder))}


def _doubt(folder: str) -> str:
    """Why a folder may not show what it holds; empty if it does."""
    if is_in_store(folder):
        return _doubt_of_store(folder)
    try:
        return "" if os.listdir(folder) else "is empty"
    except (FileNotFoundError, NotADirectoryError):
        return "is not there"
    except OSError as error:
        return f"cannot be listed ({error.strerror})"


def _doubt_of_store(folder: str) -> str:
    try:
        return "" if ObjectPath.of(folder).is_dir() else "is empty"
    except OSError as error:
        return f"cannot be listed ({in_short(error)})"
