"""By which names a server may be called, so that no other site can speak to it by a name of its
own (DNS rebinding) or from a page of its own (cross-site requests)."""

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from reeltune.serve.errors import Refusal
from reeltune.serve.settings import Settings

HERE = frozenset(("localhost", "127.0.0.1", "::1"))
HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::\d{1,5})?")


def is_here(host: str) -> bool:
    """Whether a host to bind is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_host(headers: Headers, settings: Settings) -> None:
    """Raise Refusal unless a request calls the server by a name of its own.

    An address is no name that another site could have pointed here.
    """
    found = HOST.fullmatch(headers.get("host", ""))
    name = "" if found is None else (found["six"] or found["name"]).lower()
    known = HERE | {one.lower() for one in settings.names}
    if name not in known and not (settings.is_open and _is_address(name)):
        raise Refusal(
            403,
            "ForeignHost",
            f"this server is not called {name or 'by that name'}; call it localhost, or start it "
            "with --name and the name that it has",
        )


def require_own_origin(headers: Headers, method: str) -> None:
    """Raise Refusal for a request that a page of another site makes.

    That such a page has a link to the server is no harm.
    """
    origin, host = headers.get("origin"), headers.get("host", "").lower()
    is_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    foreign = origin is not None and urlsplit(origin.lower()).netloc != host
    site = headers.get("sec-fetch-site", "none")
    if foreign or (site not in ("same-origin", "none") and not is_link):
        raise Refusal(403, "ForeignOrigin", "pages of other sites may not speak to this server")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
