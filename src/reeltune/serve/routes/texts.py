"""What is said and shown in the videos."""

from itertools import islice

from fastapi import APIRouter

from reeltune.search.channels.channel import Words
from reeltune.search.texts import KeptPhrase
from reeltune.serve.errors import problems
from reeltune.serve.routes.files import Count, Start
from reeltune.serve.schemas import Page, page_of
from reeltune.serve.state import Held

router = APIRouter(tags=["moments"])


@router.get("/texts", summary="List what is said and shown", responses=problems(404, 409))
def texts(
    held: Held, channel: Words | None = None, start: Start = 0, count: Count = 100
) -> Page[KeptPhrase]:
    """Phrases with their times, in the order of paths, channels and time."""
    every = held.library().texts(channel)
    passed = sum(1 for _ in islice(every, start))
    found = [*islice(every, count)]
    return page_of(found, start, passed + len(found) + sum(1 for _ in every))
