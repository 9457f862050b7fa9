"""Searches, scores, and hits as files."""

import time
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import Json
from starlette.concurrency import run_in_threadpool

from reeltune.serve.clips import pack
from reeltune.serve.errors import Documented, problems
from reeltune.serve.export import KINDS, Format, exported
from reeltune.serve.pictures import kept
from reeltune.serve.schemas import Answer, ClipsWanted, Export, Pairs, Scores, Search
from reeltune.serve.searching import answer, answer_of, begin, scores_of
from reeltune.serve.state import Held, State

router = APIRouter(tags=["search"])
Picture = Annotated[UploadFile, File(description="A JPEG, PNG, WebP, BMP or GIF.")]
Beside = Annotated[Json[Search] | None, Form(description="What else counts, as of /api/search.")]
FILES: Documented = {200: {"content": {kind.split(";")[0]: {} for kind in KINDS.values()}}}

ZIP: Documented = {200: {"content": {"application/zip": {}}}}


@router.post(
    "/search",
    summary="Find the moments that match words, or are like another one",
    response_model=Answer,
    responses=problems(404, 409, 413, 422, 503),
)
async def search(held: Held, wanted: Search) -> Response:
    """What counts is what is seen, said and shown; each hit says why it is one."""
    begun = time.monotonic()
    return await held.line.search(
        lambda: begin(held.library(), wanted),
        lambda found: _as_json(answer_of(wanted, found, begun)),
    )


@router.post(
    "/search/picture",
    summary="Find the moments that look like a picture",
    response_model=Answer,
    responses=problems(404, 409, 413, 422, 503),
)
async def search_by_picture(held: Held, picture: Picture, query: Beside = None) -> Response:
    """The picture and what the query names count together. It is not kept."""
    return await held.in_turn(lambda: _as_json(_like_picture(held, picture, query)))


def _as_json(answered: Answer) -> Response:
    """An answer as it is: FastAPI would check again what was made here."""
    return Response(answered.model_dump_json(), media_type="application/json")


@router.post(
    "/score",
    summary="Compare words with moments",
    responses=problems(404, 409, 413, 422, 503),
)
def score(held: Held, wanted: Pairs) -> Scores:
    """The cosine of each pair by what is seen, in their order."""
    return Scores(scores=scores_of(held.library(), wanted.pairs))


@router.post(
    "/export",
    summary="Find moments, as a file",
    response_class=Response,
    responses=FILES | problems(404, 409, 413, 422, 503),
)
async def export(held: Held, wanted: Export) -> Response:
    """The page of hits that a search has, as JSON (what `reeltune search --json` prints) or CSV."""
    return await held.in_turn(lambda: _as_file(answer(held.library(), wanted.query), wanted.format))


@router.post(
    "/export/picture",
    summary="Find the moments that look like a picture, as a file",
    response_class=Response,
    responses=FILES | problems(404, 409, 413, 422, 503),
)
async def export_by_picture(
    held: Held,
    picture: Picture,
    query: Beside = None,
    format: Annotated[Format, Form()] = "json",
) -> Response:
    """The page of hits that a search by picture has, as JSON or CSV."""
    return await held.in_turn(lambda: _as_file(_like_picture(held, picture, query), format))


@router.post(
    "/export/clips",
    summary="Cut many moments out, as a zip",
    response_class=Response,
    responses=ZIP | problems(404, 409, 413, 422, 507),
)
async def export_clips(held: Held, wanted: ClipsWanted, request: Request) -> Response:
    """A clip of each moment, as single ones are, and `clips.json`, which says what each of them is
    and why others are left out; the headers `clips` and `left-out` count them."""
    ids = [id.removeprefix("#") for id in wanted.moments]
    folder = (await run_in_threadpool(held.library)).folder
    return await pack(folder, ids, wanted.exact, request.is_disconnected)


def _like_picture(held: State, picture: UploadFile, query: Search | None) -> Answer:
    library = held.library()
    with kept(picture.file) as image:
        return answer(library, query or Search.model_validate({}), image)


def _as_file(found: Answer, form: Format) -> Response:
    named = {"Content-Disposition": f'attachment; filename="moments.{form}"'}
    return Response(exported(found.hits, form), media_type=KINDS[form], headers=named)
