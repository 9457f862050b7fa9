"""One shape for every error that the API answers with: a sentence, and what kind of error it is.

The kinds are the classes of `reeltune.errors`, and for what only a server refuses, those here.
"""

import errno
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from reeltune.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    LibraryError,
    NotInLibraryError,
    ReeltuneError,
)

log = logging.getLogger(__name__)
STATUS: dict[type[ReeltuneError], int] = {  # the first that fits
    NotInLibraryError: 404,
    LibraryError: 409,
    CheckpointError: 503,
    ConfigError: 400,
    DataError: 400,
    ReeltuneError: 400,
}
KINDS = {
    400: "BadRequest",
    404: "NotFound",
    405: "MethodNotAllowed",
    422: "Invalid",
    429: "TooMany",
}
SAID = {  # where nothing more is known
    404: "nothing is at {path}; the addresses are in /api/openapi.json",
    405: "{method} is not answered at {path}; the addresses are in /api/openapi.json",
}
FULL = 507  # the disk


class Problem(BaseModel):
    """What went wrong, in one sentence, and the kind of error."""

    error: str = Field(examples=["there is no library yet at videos.library; bring in a folder"])
    kind: str = Field(examples=["NoLibrary"])


class Refusal(HTTPException):
    """A request that is not answered as was wished."""

    def __init__(
        self, status: int, kind: str, said: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, said, headers)
        self.kind = kind

    def response(self) -> Response:
        """The answer that says so."""
        return problem(self.status_code, self.kind, self.detail, self.headers)


def problem(
    status: int, kind: str, said: str, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer in the shape of `Problem`; it is ASCII, so that half of a letter that a client sent
    can be sent back."""
    text = json.dumps({"error": said, "kind": kind})
    return Response(text, status, headers, "application/json")


def status_of(error: ReeltuneError) -> int:
    """The status of an answer that says what Reeltune says."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
        return FULL
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


Documented = dict[int | str, dict[str, Any]]
Code = Literal[400, 401, 403, 404, 409, 410, 413, 416, 422, 429, 503, 507]


def problems(*codes: Code) -> Documented:
    """For the OpenAPI: the errors that an address may answer with, and those that all do."""
    every: Sequence[int] = sorted({*codes, 400, 401, 403, 429})
    return {code: {"model": Problem} for code in every}


def answer_errors(app: FastAPI) -> None:
    """Let every error of an app be answered in one shape."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(ReeltuneError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _unforeseen)


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return error.response()


def _ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, ReeltuneError):
        raise error
    return problem(status_of(error), type(error).__name__, str(error))


def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    if first["loc"] == ("body",) and "json" not in request.headers.get("content-type", ""):
        return problem(422, KINDS[422], "the body is no JSON; send it as application/json")
    if first["type"] == "json_invalid":
        why, at = first["ctx"]["error"], first["loc"][1]
        return problem(422, KINDS[422], f"the body is no JSON ({why} at character {at})")
    where = ".".join(str(part) for part in first["loc"][1:])  # after body, query or path
    return problem(422, KINDS[422], f"{where or 'the request'}: {first['msg']}")


def _of_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    said = SAID.get(error.status_code, error.detail)
    said = said.format(path=request.url.path, method=request.method)
    kind = KINDS.get(error.status_code, "BadRequest")
    return problem(error.status_code, kind, said, error.headers)


def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    said = "the server met an error that it does not know; its log has more"
    return problem(500, "Internal", said)
