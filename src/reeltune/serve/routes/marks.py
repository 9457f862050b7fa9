"""What people say of moments: whether words are right for one, and captions."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from reeltune.search.marks import LONGEST, Mark, Verdict, list_marks
from reeltune.serve.errors import Refusal, problems
from reeltune.serve.rate import Rate
from reeltune.serve.routes.files import Count, Start
from reeltune.serve.schemas import FileId, MomentId, Page, part_of
from reeltune.serve.state import Held

router = APIRouter(prefix="/marks", tags=["marks"])
MARKING = Rate(per_second=10, at_once=100)  # each waits for the disk
Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class NewMark(BaseModel):
    """What is said of a moment."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"moment": "5f0e8d2c4b6a79881122aabb", "text": "a dog in snow", "verdict": "wrong"},
                {
                    "moment": "5f0e8d2c4b6a79881122aabb",
                    "text": "Bello digs for a ball",
                    "verdict": "caption",
                },
            ]
        },
    )

    moment: MomentId
    text: Text = Field(description="Words that were looked for, or a caption.")
    verdict: Verdict = Field(
        default="right",
        description="Whether the words are `right` or `wrong` for the moment, or a `caption`.",
    )


@router.post(
    "",
    status_code=201,
    summary="Mark a moment right or wrong for words, or write a caption",
    responses=problems(404, 409, 413, 507),
)
def mark(held: Held, new: NewMark, request: Request) -> Mark:
    """A later mark of the same words and moment takes its place."""
    _require_rate(request)
    return held.library().mark(new.moment, new.text, new.verdict)


@router.get("", summary="List the marks", responses=problems(404, 409))
def marks(
    held: Held,
    text: Annotated[str | None, Query(max_length=LONGEST, description="Of these words.")] = None,
    file: Annotated[FileId | None, Query(description="Of this video.")] = None,
    start: Start = 0,
    count: Count = 100,
) -> Page[Mark]:
    """In the order in which they were made; a mark of a video that is gone has no `path`."""
    every = [
        one
        for one in list_marks(held.library().folder)
        if text in (None, one.text) and file in (None, one.file)
    ]
    return part_of(every, start, count, lambda mark: f"{mark.id} {mark.path}")


@router.delete("/{mark}", summary="Take a mark back", responses=problems(404, 409, 507))
def unmark(held: Held, mark: MomentId, request: Request) -> Mark:
    """It is as if it had never been made."""
    _require_rate(request)
    return held.library().unmark(mark)


def _require_rate(request: Request) -> None:
    address = request.client.host if request.client else ""
    if not MARKING.take(address):
        said = "this address marks too much at a time; wait a little"
        raise Refusal(429, "TooMany", said, {"Retry-After": "1"})
