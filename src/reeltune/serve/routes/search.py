"""Searches."""

from fastapi import APIRouter

from reeltune.serve.errors import problems
from reeltune.serve.schemas import Answer, Search
from reeltune.serve.searching import answer
from reeltune.serve.state import Held

router = APIRouter(tags=["search"])


@router.post(
    "/search",
    summary="Find the moments that match words, or are like another one",
    responses=problems(404, 409, 413, 422, 503),
)
def search(held: Held, wanted: Search) -> Answer:
    """What counts is what is seen, said and shown; each hit says why it is one."""
    return answer(held.library(), wanted)
