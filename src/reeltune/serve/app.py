"""The whole server as one ASGI app."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from reeltune._version import __version__
from reeltune.serve import pages, run_pages
from reeltune.serve.errors import answer_errors
from reeltune.serve.guard import Guard
from reeltune.serve.metrics import Measured, Metrics
from reeltune.serve.routes import (
    clips,
    files,
    jobs,
    library,
    marks,
    metrics,
    moments,
    runs,
    search,
    teaching,
    texts,
)
from reeltune.serve.settings import Settings
from reeltune.serve.state import State
from reeltune.serve.unread import refuse_unread

ABOUT = """Search your own videos with words, pictures and moments.

Every error is a sentence and its kind: `{"error": "...", "kind": "..."}`. Lists come in pages, by
`start` and `count`. Times are seconds since the beginning of a video, dates are UTC.
"""


@asynccontextmanager
async def _warmed(app: FastAPI) -> AsyncIterator[None]:
    """Open the model while the first requests are answered."""
    threading.Thread(target=app.state.held.warm, daemon=True).start()
    try:
        yield
    finally:
        await run_in_threadpool(app.state.held.close)


def create_app(settings: Settings) -> FastAPI:
    """The page, and below `/api` all that it is made of."""
    app = FastAPI(
        title="Reeltune",
        version=__version__,
        description=ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_warmed,
    )
    held = State(settings)
    app.state.held, app.state.metrics = held, Metrics(held)
    app.add_middleware(Measured, metrics=app.state.metrics)
    app.add_middleware(Guard, settings=settings, wrong=held.wrong_tokens)
    answer_errors(app)
    api = APIRouter(prefix="/api", dependencies=[Depends(refuse_unread)])
    for group in (
        library,
        metrics,
        files,
        moments,
        texts,
        search,
        marks,
        teaching,
        jobs,
        clips,
        runs,
    ):
        api.include_router(group.router)
    app.include_router(api)
    app.include_router(pages.router)
    app.include_router(run_pages.router)
    app.mount("/static", pages.static, name="static")
    return app
