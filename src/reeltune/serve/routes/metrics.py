"""What a server counts."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from reeltune.serve.errors import Documented, problems

router = APIRouter(tags=["library"])
TEXT: Documented = {200: {"content": {"text/plain": {}}}}


@router.get(
    "/metrics",
    summary="Counts for Prometheus",
    response_class=Response,
    responses=TEXT | problems(),
)
def metrics(request: Request) -> Response:
    """Requests and their times by address, and the size of the library."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
