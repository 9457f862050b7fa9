"""Refuses what is no video by its first bytes, before all of it is read."""

from reeltune.errors import MediaError
from reeltune.media._sniff import HEAD, container_of, refusal
from reeltune.storage.content import reading


def require_container(location: str) -> None:
    """Raise MediaError for a file that cannot be read or does not begin as a video does."""
    with reading(location) as file:
        head = file.read(HEAD)
    if not head:
        raise MediaError(location, "an empty file")
    if container_of(head) is None:
        raise MediaError(location, refusal(head))
