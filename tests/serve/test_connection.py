"""What comes over a connection before there is a request: real sockets, a real server."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from reeltune.serve.run import HEAD
from reeltune.serve.settings import Settings
from serve.running import running

ENDS = b"\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running(Settings(library=tmp_path_factory.mktemp("none") / "lib")) as client:
        yield client


def answered(server: httpx.Client, *pieces: bytes) -> bytes:
    """What comes back until the server closes the connection; it may do so before all is sent."""
    url, found = server.base_url, b""
    with socket.create_connection((url.host, url.port or 80), timeout=30) as other:
        try:
            for piece in pieces:
                other.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            while piece := other.recv(1 << 16):
                found += piece
        except ConnectionResetError:
            pass
    return found


def head(server: httpx.Client, *lines: bytes, first: bytes = b"GET /api/health HTTP/1.1") -> bytes:
    host = f"Host: {server.base_url.host}:{server.base_url.port}".encode()
    return b"\r\n".join([first, host, b"Connection: close", *lines])


def test_a_head_without_an_end_is_refused_and_not_kept(server: httpx.Client) -> None:
    line = b"\r\nX-One: " + b"x" * 1000
    for first in (head(server), b"GET /" + b"y" * 5000):
        said = answered(server, first, *[line] * 200)
        assert said.startswith(b"HTTP/1.1 400"), said[:200]
    assert server.get("/api/health").status_code == 200


def test_a_large_head_is_taken_and_each_request_has_its_own(server: httpx.Client) -> None:
    large = [b"X-One: " + b"x" * 1000] * (HEAD // 2 // 1000)
    said = answered(server, head(server, *large) + ENDS)
    assert said.startswith(b"HTTP/1.1 200"), said[:200]
    for _ in range(4):  # over one connection, together more than one head may have
        name = {"x-one": "x" * (HEAD // 2)}
        assert server.get("/api/health", headers=name).status_code == 200


def test_headers_after_a_body_are_none_of_the_request(server: httpx.Client) -> None:
    first = head(
        server,
        b"Transfer-Encoding: chunked",
        b"Content-Type: application/json",
        first=b"POST /api/search HTTP/1.1",
    )
    body = b'3\r\n{"w\r\n15\r\nords": "a red thing"}\r\n0\r\n'
    origin = b"Origin: http://elsewhere.example\r\n"
    said = answered(server, first + ENDS + body + origin * 1000 + b"\r\n")
    assert b"elsewhere" not in said
    assert said.startswith((b"HTTP/1.1 404", b"HTTP/1.1 409")), said[:300]


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\nHost a\n\n",
    ],
)
def test_what_is_no_request_is_refused(server: httpx.Client, wrong: bytes) -> None:
    assert answered(server, wrong).startswith(b"HTTP/1.1 400")
    assert server.get("/api/health").status_code == 200
