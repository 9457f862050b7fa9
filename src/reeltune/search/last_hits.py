"""The hits of the last search, so that other commands may name them by their numbers.

They stand in one small file of the user, which is replaced whole; of two searches at a time the
later one counts.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from reeltune.errors import DataError, counted, in_short
from reeltune.records import Hit
from reeltune.search._known import Stored
from reeltune.search._places import status_of
from reeltune.search.store.schema import kept_time
from reeltune.storage.atomic_file import replacing
from reeltune.storage.place import Place as Folder
from reeltune.storage.settings_file import read_json
from reeltune.storage.state import state_folder

NAME = "last_hits.json"
NONE: Mapping[str, Stored] = {}
AT_MOST = 1 << 24  # bytes; a search for ten thousand moments has 3 MB


def _bytes(name: Any) -> bytes:
    """A name of a file, which need not be UTF-8, as JSON has it."""
    if not isinstance(name, str):
        raise ValueError("a name is no text")
    return os.fsencode(name)


Name = Annotated[bytes, BeforeValidator(_bytes)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Remembered(BaseModel):
    """A moment that was found, and what its file was like when it was indexed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    location: Name
    start: Seconds
    end: Seconds
    size: int  # bytes, when it was indexed; -1 where the library had it no more and it was gone
    modified_ns: int


class LastHits(BaseModel):
    """What the last search found, and in which library."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    library: Name
    query: str
    hits: list[Remembered]


@dataclass(frozen=True)
class Place:
    """A moment in a video that is there as it was when it was found."""

    video: str  # a path, or a URL of an object store
    start: float  # s
    end: float


def remember(
    library: Folder, query: str | None, hits: Sequence[Hit], stored: Mapping[str, Stored] = NONE
) -> None:
    """Keep hits for `recall`; raises OSError where that cannot be written.

    `stored` is what the library knows of their files, by ids; one that it has no more counts as it
    is now.
    """
    kept = [_kept(hit, stored.get(hit.file)) for hit in hits]
    last = {"library": str(library.absolute()), "query": query or "", "hits": kept}
    folder = state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing(folder / NAME) as half:
        half.chmod(0o600)  # what somebody searches for is nobody else's affair
        half.write_text(json.dumps(last))


def recall(number: int) -> Place:
    """Hit `number` of the last search, counted from 1.

    Raises DataError where there is no such hit, and where its file is not as it was indexed.
    """
    last = _last()
    if not 1 <= number <= len(last.hits):
        raise DataError(
            f"there is no hit {number}: the last search, in {os.fsdecode(last.library)}, "
            f"{f'has hits 1 to {len(last.hits)}' if last.hits else 'found nothing'}; "
            "give one of its numbers, or search again"
        )
    hit = last.hits[number - 1]
    location = os.fsdecode(hit.location)
    if hit.size < 0 or _stamp(location) != (hit.size, hit.modified_ns):
        why = "has changed since it was indexed" if os.path.lexists(location) else "is not there"
        raise DataError(
            f"{location} {why}; bring the library {os.fsdecode(last.library)} up to date by "
            "reeltune index, and search again"
        )
    return Place(location, hit.start, hit.end)


def _last() -> LastHits:
    path = state_folder() / NAME
    again = 'search first: reeltune search "a dog"'
    try:
        return LastHits.model_validate(read_json(path, AT_MOST))
    except FileNotFoundError as error:
        raise DataError(f"no search is remembered; {again}") from error
    except ValidationError as error:
        raise DataError(
            f"{path} has no hits ({counted(error.error_count(), 'fault')}); {again}"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({in_short(error)}); {again}") from error


def _kept(hit: Hit, stored: Stored | None) -> dict[str, object]:
    size, modified = (stored.size, stored.modified_ns) if stored else _stamp(hit.location)
    times = {"start": hit.start, "end": hit.end}
    return {"location": hit.location, **times, "size": size, "modified_ns": modified}


def _stamp(location: str) -> tuple[int, int]:
    """Size and time of change of a file, as a library keeps them; -1 each where it is not there."""
    try:
        status = status_of(location)
    except OSError:
        return -1, -1
    return status.st_size, kept_time(status.st_mtime_ns)
