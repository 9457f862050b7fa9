"""The pages that people see; what they send by forms is read by python-multipart."""

from pathlib import Path
from typing import Annotated

import jinja2
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from reeltune._version import __version__
from reeltune.serve.guard import COOKIE, ENTER, LONGEST
from reeltune.serve.state import Held

PAGE = Path(__file__).parent / "page"
MONTH = 30 * 24 * 3600  # s that a browser keeps a token

router = APIRouter(include_in_schema=False)
static = StaticFiles(directory=PAGE / "static")
templates = Jinja2Templates(
    env=jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
)
templates.env.globals["version"] = __version__


@router.get("/")
def index(request: Request, held: Held) -> Response:
    """The search, and before there is a library the choice of a folder."""
    return templates.TemplateResponse(
        request, "index.html" if held.has_library() else "welcome.html", {}
    )


@router.get("/library")
def library(request: Request) -> Response:
    """What is in the library, what goes in, and what is taken out."""
    return templates.TemplateResponse(request, "library.html", {})


@router.get("/teach")
def teach(request: Request) -> Response:
    """What was marked, and the tuning by it."""
    return templates.TemplateResponse(request, "teach.html", {})


@router.get(ENTER)
def enter(request: Request) -> Response:
    """Where the token is asked for."""
    return templates.TemplateResponse(request, "enter.html", {"wrong": False})


@router.post(ENTER)
def entered(
    request: Request,
    held: Held,
    token: Annotated[str, Form(max_length=200)],
    to: Annotated[str, Query(max_length=LONGEST)] = "/",
) -> Response:
    """Keep the token in the browser, where no script can read it, and go on."""
    tokens = held.settings.tokens
    if tokens is not None and tokens.scope_of(token.strip()) is None:
        held.wrong_tokens.take(request.client.host if request.client else "")
        return templates.TemplateResponse(request, "enter.html", {"wrong": True}, status_code=401)
    place = to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"
    answer = RedirectResponse(place, 303)
    answer.set_cookie(COOKIE, token.strip(), MONTH, httponly=True, samesite="strict")
    return answer
