"""What is in the library."""

from fastapi import APIRouter, Request

from reeltune.serve.errors import problems
from reeltune.serve.schemas import Folder, Health, LibraryFacts
from reeltune.serve.state import Held

router = APIRouter(tags=["library"])


@router.get("/health", summary="Whether the server answers", responses=problems())
def health() -> Health:
    """It needs no token."""
    return Health()


@router.get("/library", summary="What is in the library", responses=problems(409))
def library(held: Held, request: Request) -> LibraryFacts:
    """Also where there is none yet."""
    may_write = request.scope["scope"] == "write"
    roots = [str(root) for root in held.settings.roots]
    if not held.has_library():
        return LibraryFacts(there=False, folder=str(held.folder), roots=roots, may_write=may_write)
    listed = [Folder(path=path, files=files) for path, files in held.holdings.folders().items()]
    said = {"there": True, "may_write": may_write, "remarks": held.library().remarks}
    there = said | {"folder": str(held.folder), "roots": roots, "folders": listed}
    return LibraryFacts.model_validate(held.holdings.info() | there)
