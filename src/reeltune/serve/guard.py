"""What every request passes before anything else: the host and origin it names, its token, its
size; and the headers that every answer has."""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Request

from reeltune.serve.errors import Refusal
from reeltune.serve.hosts import require_host, require_own_origin
from reeltune.serve.rate import Rate
from reeltune.serve.settings import Settings
from reeltune.serve.tokens import Scope

COOKIE = "reeltune"  # the token as a browser keeps it
ENTER = "/enter"  # where a browser gives it
LONGEST = 2000  # letters of an address that a browser is led back to
FOR_ALL = frozenset((ENTER, "/api/health"))
STATIC = "/static/"
READING = ("GET", "HEAD", "OPTIONS")  # but for addresses that show more than the library
WRITES = ("/api/folders",)
CLIPS = "/api/clips"  # made in the server's own place, and changing nothing of the library
PICTURES = ("/api/search/picture", "/api/export/picture")
READS = frozenset(
    ("/api/search", "/api/score", "/api/export", "/api/export/clips", CLIPS, *PICTURES)
)
REQUESTS = 100  # a second, from one address
LARGEST = 1 << 20  # bytes of a request's body
LARGER = dict.fromkeys(PICTURES, 32 << 20)
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """Lets through what may pass, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, settings: Settings, wrong: Rate) -> None:
        self.app, self.settings = app, settings
        self.rate, self.wrong = Rate(REQUESTS, 4 * REQUESTS), wrong

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            stopped = self._stopped(scope)
        except Refusal as refusal:
            stopped = refusal.response()
        await (stopped or self.app)(scope, capped(scope, receive), _with_headers(scope, send))

    def _stopped(self, scope: Request) -> Response | None:
        """Where a request is led instead, if it is; raises Refusal for one that may not pass."""
        headers = Headers(scope=scope)
        require_size(int(headers.get("content-length", "0")), scope["path"])
        require_host(headers, self.settings)
        require_own_origin(headers, scope["method"])
        tokens, path = self.settings.tokens, scope["path"]
        if tokens is None:
            scope["scope"] = "write"
            return None
        address, given = (scope.get("client") or ("",))[0], token_in(headers)
        require_rate(self.rate.take(address) and self.wrong.left(address) >= 1)
        scope["scope"] = found = None if given is None else tokens.scope_of(given)
        if given is not None and found is None:
            self.wrong.take(address)
        if path in FOR_ALL or path.startswith(STATIC):
            return None
        if found is None and scope["method"] == "GET" and not path.startswith("/api/"):
            return RedirectResponse(f"{ENTER}?to={quote(_asked(scope))}", 303)
        require_scope(found, scope["method"], path)
        return None


def _asked(scope: Request) -> str:
    """What a browser asked for, with the search in its address, unless that is too long to keep."""
    query = scope.get("query_string", b"").decode("latin-1")
    whole = f"{scope['path']}?{query}"
    return whole if query and len(whole) <= LONGEST else str(scope["path"])


def token_in(headers: Headers) -> str | None:
    """The token of a request, in its header or a cookie."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and given:
        return given.strip()
    return cookie_parser(headers.get("cookie", "")).get(COOKIE)


def require_scope(found: Scope | None, method: str, path: str) -> None:
    """Raise Refusal unless a token allows a request."""
    if found is None:
        raise Refusal(
            401,
            "Unauthorized",
            "this server wants the token that it printed when it started; send it as "
            "'Authorization: Bearer TOKEN'",
            {"WWW-Authenticate": "Bearer"},
        )
    if found == "read" and not is_reading(method, path):
        raise Refusal(403, "ReadOnly", "this token is for reading alone; use the one for writing")


def is_reading(method: str, path: str) -> bool:
    """Whether a request changes nothing, and shows no more than the library."""
    reads = method in READING or path in READS or path.startswith(f"{CLIPS}/")
    return reads and not path.startswith(WRITES)


def require_rate(is_within: bool) -> None:
    """Raise Refusal for an address that asks too often, or that tries one token after another."""
    if not is_within:
        raise Refusal(
            429, "TooMany", "this address asks too often; wait a little", {"Retry-After": "10"}
        )


def require_size(length: int, path: str) -> None:
    """Raise Refusal for a body of more bytes than are taken at an address."""
    most = LARGER.get(path, LARGEST)
    if length > most:
        raise Refusal(
            413, "TooLarge", f"the body of a request to {path} may have {most:,} bytes; send less"
        )


def capped(scope: Request, receive: Receive) -> Receive:
    """The body of a request, which raises Refusal where more comes than is taken."""
    length = 0

    async def receiving() -> Message:
        nonlocal length
        message = await receive()
        length += len(message.get("body", b""))
        require_size(length, scope["path"])
        return message

    return receiving


def _with_headers(scope: Request, send: Send) -> Send:
    # What the package holds is asked for again but not sent again; all else is never kept.
    kept = "no-cache" if scope["path"].startswith(STATIC) else "no-store"

    async def sending(message: Message | MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", kept)
        await send(message)

    return sending
