"""Runs a server until Ctrl-C."""

import logging
import socket
from collections.abc import Callable

import uvicorn

from reeltune.errors import ConfigError, in_short
from reeltune.serve.app import create_app
from reeltune.serve.settings import Settings

FAREWELL = 3  # s that answers may still take after Ctrl-C
KEPT_OPEN = 30  # s without a request; clients close after 5 s, or one might ask as we close
AT_ONCE = 512  # connections; more are told to come again
HEAD = 1 << 16  # bytes of a request's head
FORMS = logging.getLogger("python_multipart")  # which has a line for each form that is broken


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address; raises ConfigError where that cannot be had."""
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # By its number asyncio knows TCP, whose small answers would else wait 40 ms for each other.
        taken = socket.socket(kind, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise ConfigError(f"--host {host} is no address here ({in_short(error)})") from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except (OSError, OverflowError) as error:
        taken.close()
        raise ConfigError(
            f"nothing can listen at {host}:{port} ({in_short(error)}); give another --port, or 0 "
            "for any that is free"
        ) from error
    return taken


def server_of(settings: Settings) -> uvicorn.Server:
    """A server with these settings; its app is `create_app`."""
    FORMS.handlers, FORMS.propagate = [logging.NullHandler()], False  # or they fill the terminal
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=AT_ONCE,
        timeout_keep_alive=KEPT_OPEN,
        h11_max_incomplete_event_size=HEAD,
        timeout_graceful_shutdown=FAREWELL,
    )
    return uvicorn.Server(config)


def serve(settings: Settings, taken: socket.socket, ready: Callable[[], None]) -> None:
    """Answer at a socket until Ctrl-C; `ready` is called when that begins."""
    server = server_of(settings)
    with taken:
        taken.listen(AT_ONCE)
        ready()
        server.run(sockets=[taken])
