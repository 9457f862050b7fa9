"""The moments of the library."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from reeltune.errors import NotInLibraryError
from reeltune.search.moments import page_of_moments
from reeltune.search.store.table import open_table
from reeltune.serve.errors import Documented, problems
from reeltune.serve.routes.files import Count, Start
from reeltune.serve.schemas import FileId, MomentId, Page, page_of
from reeltune.serve.state import Held
from reeltune.types import Moment

router = APIRouter(prefix="/moments", tags=["moments"])
Where = Annotated[str | None, Query(max_length=2000, description="A filter, as that of a search.")]
JPEG: Documented = {200: {"content": {"image/jpeg": {}}}}
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # an id is of one content


@router.get("", summary="List the moments", responses=problems(404, 409))
def moments(
    held: Held,
    where: Where = None,
    file: FileId | None = None,
    start: Start = 0,
    count: Count = 100,
) -> Page[Moment]:
    """In the order of paths and of time; those of one file, or that pass a filter."""
    held.library()
    found, total = page_of_moments(open_table(held.folder), where, file, start, count)
    return page_of(found, start, total)


@router.get(
    "/{moment}/thumbnail",
    summary="A small picture of a moment",
    response_class=Response,
    responses=JPEG | problems(404, 409),
)
def thumbnail(held: Held, moment: MomentId) -> Response:
    """A JPEG."""
    id = moment.removeprefix("#")
    found = held.library().thumbnails(id)
    if id not in found:
        raise NotInLibraryError(f"{held.folder} has no moment #{id}; take the id of a hit")
    return Response(found[id], media_type="image/jpeg", headers=FOREVER)
