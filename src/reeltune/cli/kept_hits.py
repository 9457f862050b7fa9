"""Keeps what a command has found, for `play` and `cut`."""

from collections.abc import Sequence

from reeltune.cli.terminal import say
from reeltune.errors import ReeltuneError, in_short
from reeltune.records import Hit
from reeltune.search.files import stored_files
from reeltune.search.last_hits import remember
from reeltune.storage.place import Place


def keep_hits(library: Place, query: str | None, hits: Sequence[Hit]) -> None:
    """Remember hits; where that cannot be done, say so, as the search itself is none the worse."""
    try:
        remember(library, query, hits, stored_files(library, {hit.file for hit in hits}))
    except (OSError, ReeltuneError) as error:
        say(
            f"play and cut do not know these hits: they cannot be kept ({in_short(error)})",
            err=True,
        )
