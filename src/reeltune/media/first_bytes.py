"""Reads the first bytes of files, and refuses by them what is no video."""

from reeltune.errors import MediaError
from reeltune.media._sniff import HEAD, container_of, refusal
from reeltune.storage.content import reading


def first_bytes(location: str) -> bytes:
    """The beginning of a regular file, which is all that is looked at outside the sandbox.

    Raises MediaError if it cannot be read.
    """
    with reading(location) as file:
        return file.read(HEAD)


def require_container(location: str) -> None:
    """Raise MediaError for a file that cannot be read or does not begin as a video does."""
    head = first_bytes(location)
    if not head:
        raise MediaError(location, "an empty file")
    if container_of(head) is None:
        raise MediaError(location, refusal(head))
