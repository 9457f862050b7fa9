"""Which names in a folder are passed over, and why: bins, previews, downloads, other kinds."""

import os

from reeltune.errors import MediaError
from reeltune.media import names
from reeltune.media._sniff import is_of_something_else, looks_like_video
from reeltune.media.first_bytes import first_bytes

# Folders in which systems and storage boxes keep bins, previews and copies, in small letters.
FOLDERS = frozenset(
    (
        *("@eadir", "#recycle", "#snapshot", "@tmp"),  # Synology
        *("@recycle", "@recently-snapshot", "@__thumb"),  # QNAP
        *("$recycle.bin", "recycler", "recycled", "system volume information"),  # Windows
        *("lost+found", "__macosx", "network trash folder", "temporary items"),
    )
)
HIDDEN = "hidden"
TABLE = ".lance"  # the end of the name of a folder that holds moments, or words, of a library


def folder_kind(name: str) -> str:
    """Why a folder of this name is passed over; empty if it is not."""
    if name.startswith("."):
        return HIDDEN
    if name.endswith(TABLE):
        return "table of a library"
    return name if name.lower() in FOLDERS else ""


def name_kind(name: str) -> str:
    """Why a file of this name is passed over unless everything is wanted; empty if it is not."""
    if name.startswith("."):
        return HIDDEN
    return "preview of a camera" if names.suffix_of(name) in names.PREVIEWS else ""


def suffix_kind(name: str) -> str:
    """What a file is instead of a video as its suffix says; empty if that does not say so."""
    suffix = names.suffix_of(name)
    if suffix in names.UNFINISHED:
        return "unfinished download"
    return suffix if names.is_of_another_kind(suffix) else ""


def content_kind(path: str) -> str:
    """What a file is instead of a video, by its first bytes where its suffix does not say; empty
    if it is to be taken for a video."""
    suffix = names.suffix_of(path)
    if suffix in names.SUFFIXES and suffix not in names.SHARED:
        return ""
    kind = suffix or "without a suffix"
    if not os.path.isfile(path):
        return "" if suffix in names.SUFFIXES else kind
    try:
        head = first_bytes(path)
    except MediaError:  # said of a video when its turn comes
        return "" if suffix in names.SUFFIXES else f"{kind} that may not be read"
    if suffix in names.SUFFIXES:
        return kind if is_of_something_else(head) else ""
    return "" if looks_like_video(head) else kind
