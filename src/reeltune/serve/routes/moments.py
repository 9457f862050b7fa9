"""The moments of the library."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from reeltune.errors import NotInLibraryError
from reeltune.records import Moment
from reeltune.search.files import stored_file
from reeltune.search.moments import page_of_moments
from reeltune.search.store.only import Only
from reeltune.search.store.table import open_table
from reeltune.serve.clips import cut_out
from reeltune.serve.errors import Documented, problems
from reeltune.serve.routes.files import Count, Start
from reeltune.serve.schemas import FileId, MomentId, Page, Second, page_of
from reeltune.serve.state import Held

router = APIRouter(prefix="/moments", tags=["moments"])
Where = Annotated[str | None, Query(max_length=2000, description="A filter, as that of a search.")]
MP4: Documented = {200: {"content": {"video/mp4": {}}}}
JPEG: Documented = {200: {"content": {"image/jpeg": {}}}}
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # an id is of one content


@router.get("", summary="List the moments", responses=problems(404, 409))
def moments(
    held: Held,
    where: Where = None,
    file: FileId | None = None,
    first: Annotated[bool, Query(description="Only the first moment of each video.")] = False,
    start: Start = 0,
    count: Count = 100,
) -> Page[Moment]:
    """In the order of paths and of time; those of one file, or that pass a filter."""
    held.library()
    wanted = Only(videos=None if file is None else (file,), firsts=first)
    table = open_table(held.folder)
    found, total, version = page_of_moments(table, where, wanted.sql(), start, count)
    return page_of(found, start, total, version)


@router.get(
    "/{moment}/clip",
    summary="Cut a moment out",
    response_class=Response,
    responses=MP4 | problems(404, 409, 410),
)
def clip(
    held: Held,
    moment: MomentId,
    exact: Annotated[bool, Query(description="Encode anew, from and to the very picture.")] = False,
    begin: Annotated[Second | None, Query(alias="from", description="Else the moment's.")] = None,
    end: Annotated[Second | None, Query(alias="to", description="Else the moment's.")] = None,
) -> Response:
    """An mp4; one that is not exact is a copy, and begins at the last keyframe before."""
    id = moment.removeprefix("#")
    found = held.library().gallery.moment(id)
    start = found.start if begin is None else begin
    until = found.end if end is None else end
    return cut_out(stored_file(held.folder, found.video), start, until, exact)


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
