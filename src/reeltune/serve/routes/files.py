"""The videos of the library."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from reeltune.errors import NotInLibraryError
from reeltune.search.files import File, stored_file
from reeltune.serve.errors import Documented, problems
from reeltune.serve.media import Media
from reeltune.serve.schemas import MOST, FileId, FilesNamed, Page, Removed, Strip, part_of
from reeltune.serve.searching import places_in, strip_of
from reeltune.serve.state import Held

router = APIRouter(prefix="/files", tags=["files"])
Start = Annotated[int, Query(ge=0, le=MOST, description="The number of the first one, from 0.")]
Count = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
VIDEO: Documented = {
    code: {"content": {"video/*": {}, "application/octet-stream": {}}} for code in (200, 206)
}


@router.get("", summary="List the videos", responses=problems(404, 409))
def files(held: Held, start: Start = 0, count: Count = 100) -> Page[File]:
    """In the order of their paths."""
    every = held.library().files()
    return part_of(every, start, count, lambda file: f"{file.id} {file.path}")


@router.delete(
    "/{file}", summary="Take a video out of the library", responses=problems(404, 409, 507)
)
def remove(held: Held, file: FileId) -> Removed:
    """It stays on disk."""
    library = held.library()
    return Removed(removed=library.remove(stored_file(held.folder, file).location))


@router.post(
    "/remove",
    summary="Take videos out of the library",
    responses=problems(404, 409, 413, 422, 507),
)
def remove_all(held: Held, wanted: FilesNamed) -> Removed:
    """All in one change; a folder stands for the videos below it. They stay on disk."""
    library = held.library()
    return Removed(removed=library.remove(places_in(library, wanted.files)))


@router.get(
    "/{file}/scores",
    summary="See where in a video words match",
    responses=problems(404, 409, 503),
)
def scores(held: Held, file: FileId, text: Annotated[str, Query(max_length=1000)]) -> Strip:
    """A score for each moment of the video, in the order of time."""
    library = held.library()
    found = next((one for one in library.files() if one.id == file), None)
    if found is None:
        raise NotInLibraryError(f"{held.folder} has no file with the id {file}")
    return Strip(parts=strip_of(library, found, text))


@router.head("/{file}/media", include_in_schema=False)
@router.get(
    "/{file}/media",
    summary="Play a video",
    response_class=Response,
    responses=VIDEO | problems(404, 409, 410, 416),
)
def media(held: Held, file: FileId, request: Request) -> Response:
    """The bytes of the file, or one range of them."""
    held.library()
    return Media(stored_file(held.folder, file), request.headers, request.method == "HEAD")
