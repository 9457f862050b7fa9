"""The folders of the server's machine that clients may see, and bring videos in from."""

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from reeltune.media.names import SUFFIXES, suffix_of
from reeltune.serve.errors import Refusal

MOST = 1000  # folders that are listed


class Below(BaseModel):
    """A folder below the roots, and what is right in it; without a path, the roots themselves."""

    path: str | None
    parent: str | None
    folders: list[str]  # their paths; links and what is hidden are left out
    videos: int  # files that have the suffix of a video
    more: bool = False  # whether there are more folders than are listed


def allowed(roots: Sequence[Path], path: str) -> str:
    """The place of a file or folder below a root, links resolved.

    Raises Refusal for any other, in the same words whether it is there or not.
    """
    place = "" if "\0" in path or not os.path.isabs(path) else os.path.realpath(path)
    if not (place and os.path.exists(place) and root_of(roots, place)):
        raise Refusal(
            404,
            "NotAllowed",
            f"{path} is nothing that this server may bring in; start it with --root and a folder "
            "that holds it",
        )
    return place


def root_of(roots: Sequence[Path], place: str) -> Path | None:
    """The root that a place is, or lies below."""
    return next((root for root in roots if Path(place).is_relative_to(root)), None)


def below(roots: Sequence[Path], path: str | None) -> Below:
    """What is right in a folder, or the roots where none is named; raises Refusal as `allowed`."""
    if path is None:
        return Below(path=None, parent=None, folders=[str(root) for root in roots], videos=0)
    place = allowed(roots, path)
    try:
        with os.scandir(place) as entries:
            listed = [entry for entry in entries if not entry.name.startswith(".")]
            folders = sorted(one.path for one in listed if one.is_dir(follow_symlinks=False))
    except OSError as error:
        raise Refusal(404, "NotAllowed", f"{path} is no folder that can be read") from error
    files = [one.name for one in listed if one.is_file(follow_symlinks=False)]
    folders = [folder for folder in folders if _is_text(folder)]
    parent = os.path.dirname(place)
    return Below(
        path=place,
        parent=parent if root_of(roots, parent) else None,
        folders=folders[:MOST],
        videos=sum(suffix_of(name) in SUFFIXES for name in files),
        more=len(folders) > MOST,
    )


def _is_text(path: str) -> bool:
    """Whether a name is UTF-8, which JSON can hold."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
