"""What the API is sent and answers, beside the records that Python has as well."""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from reeltune.records import Channel, Hit
from reeltune.search.clip_archive import MOST as MOST_CLIPS
from reeltune.search.query import Sort
from reeltune.serve.export import Format

Item = TypeVar("Item")
MOMENT = r"^#?[0-9a-f]{24}$"
FILE = r"^[0-9a-f]{32}$"
MOST = 10**9  # items of a list
PAGES = 50  # of one search
Words = Annotated[str, Field(max_length=1000)]
Second = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
MomentId = Annotated[str, Field(pattern=MOMENT, examples=["5f0e8d2c4b6a79881122aabb"])]
FileId = Annotated[str, Field(pattern=FILE, examples=["0123456789abcdef0123456789abcdef"])]
Named = Annotated[str, Field(max_length=4096)]  # a file or folder
RunId = Annotated[str, Field(pattern=FILE, examples=["0123456789abcdef0123456789abcdef"])]


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    total: int  # of the whole list
    next: int | None  # the `start` of the next page; null after the last one
    version: str | None = Field(
        default=None, description="Of the whole list: another one once that has changed."
    )


def page_of(items: list[Item], start: int, total: int, version: str | None = None) -> Page[Item]:
    """The items of a list from one on, of so many in all."""
    end = start + len(items)
    following = end if items and end < total else None
    return Page(items=items, total=total, next=following, version=version)


def part_of(
    every: Iterable[Item], start: int, count: int, known_by: Callable[[Item], str]
) -> Page[Item]:
    """So many items of a list from one on; what they are `known_by` makes the list's version."""
    found: list[Item] = []
    total, digest = 0, blake2b(digest_size=16)
    for number, item in enumerate(every):
        total = number + 1
        digest.update(known_by(item).encode("utf-8", "surrogatepass") + b"\0")
        if start <= number < start + count:
            found.append(item)
    return page_of(found, start, total, digest.hexdigest())


class Search(BaseModel):
    """What is looked for; it needs words or a moment that others should be like."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"words": "a dog catches a frisbee", "top": 5},
                {"words": "a dog + snow", "not": ["people"], "where": "duration > 60"},
                {"words": '"happy birthday"', "in": ["said"]},
            ]
        },
    )

    words: Words | None = Field(
        default=None, description="What is seen, said or shown; `a dog + snow - people` is a sum."
    )
    like: MomentId | None = Field(default=None, description="The id of a moment to search by.")
    without: list[Words] = Field(
        default=[], alias="not", max_length=16, description="What counts against."
    )
    channels: list[Channel] = Field(
        default=[],
        alias="in",
        max_length=3,
        description="What counts; nothing named: all there is.",
    )
    inside: Named | None = Field(
        default=None, description="The id of a file, or a folder of the library, that alone counts."
    )
    where: Annotated[str, Field(max_length=2000)] | None = Field(
        default=None, description="A filter, as `duration > 60 and path like '%beach%'`."
    )
    begin: Second | None = Field(default=None, alias="from", description="From this second on.")
    end: Second | None = Field(default=None, alias="to", description="Up to this second.")
    top: int = Field(default=20, ge=1, le=200, description="How many moments a page has.")
    page: int = Field(default=1, ge=1, le=PAGES)
    fold: bool = Field(default=True, description="Whether near-duplicates count as one.")
    min_confidence: float = Field(
        default=0.0, ge=0, le=1, description="Leave out what is less sure."
    )
    sort: Sort = Field(
        default="match", description="The moments of a page: best first, or newest first."
    )


class Answer(BaseModel):
    """The moments that match best."""

    hits: list[Hit]
    matches_well: bool = Field(description="Whether any of them may be what was looked for.")
    fair: float = Field(
        description="The confidence from which on a hit may be what was looked for."
    )
    page: int
    more: bool = Field(description="Whether the next page has any.")
    seconds: float = Field(description="How long the search took.")


class Pair(BaseModel):
    """Words and a moment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: Annotated[str, Field(min_length=1, max_length=1000, examples=["a dog in the snow"])]
    moment: MomentId


class Pairs(BaseModel):
    """Pairs to be compared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: list[Pair] = Field(min_length=1, max_length=1000)


class Scores(BaseModel):
    """How alike pairs are."""

    scores: list[float]


class Export(BaseModel):
    """A search whose hits are wanted as a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: Search
    format: Format = "json"


class ClipsWanted(BaseModel):
    """Moments that are wanted as clips, such as the hits of a search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    moments: list[MomentId] = Field(min_length=1, max_length=MOST_CLIPS, description="Their ids.")
    exact: bool = Field(
        default=False, description="Encode anew, from and to the very picture; else copy."
    )


class Part(BaseModel):
    """How well a part of a video matches."""

    id: str = Field(description="Of the moment.")
    start: float
    end: float
    score: float
    confidence: float | None


class Strip(BaseModel):
    """How well each moment of a video matches, in the order of time."""

    parts: list[Part]


class Folder(BaseModel):
    """A folder with videos of the library right in it."""

    path: str
    files: int


class LibraryFacts(BaseModel):
    """What is in the library."""

    there: bool = Field(description="Whether there is a library yet; without one all counts are 0.")
    folder: str
    files: int = 0
    moments: int = 0
    seconds: float = 0.0
    video_bytes: int = 0
    library_bytes: int = 0
    phrases_said: int = 0
    phrases_shown: int = 0
    captions: int = 0
    model: str | None = None
    sampling: str | None = None
    channels: list[str] = Field(default=[], description="Of these, words are found in new files.")
    folders: list[Folder] = []
    remarks: list[str] = Field(
        default=[], description="What should be known of searches, such as that words are lost."
    )
    may_write: bool = Field(description="Whether who asks may bring in and take out videos.")
    roots: list[str] = Field(default=[], description="Folders whose videos may be brought in.")


class FilesNamed(BaseModel):
    """Videos that are meant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: list[Named] = Field(
        max_length=10_000, description="Their ids, or files and folders of the library."
    )


class Removed(BaseModel):
    """The videos that were taken out of the library."""

    removed: list[str] = Field(description="Their paths; the files are where they were.")


class Health(BaseModel):
    """Whether the server answers."""

    status: str = "ok"
