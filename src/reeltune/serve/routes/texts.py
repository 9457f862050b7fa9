"""What is said and shown in the videos."""

from fastapi import APIRouter

from reeltune.search.channels.channel import Words
from reeltune.search.texts import KeptPhrase
from reeltune.serve.errors import problems
from reeltune.serve.routes.files import Count, Start
from reeltune.serve.schemas import Page, part_of
from reeltune.serve.state import Held

router = APIRouter(tags=["moments"])


@router.get("/texts", summary="List what is said and shown", responses=problems(404, 409))
def texts(
    held: Held, channel: Words | None = None, start: Start = 0, count: Count = 100
) -> Page[KeptPhrase]:
    """Phrases with their times, in the order of paths, channels and time."""
    every = held.library().texts(channel)
    return part_of(every, start, count, lambda one: f"{one.location} {one.start} {one.text}")
