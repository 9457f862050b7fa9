"""What a request must bring along: a host that is ours, no foreign origin, and off loopback a
token."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reeltune.errors import ConfigError
from reeltune.serve.hosts import is_here
from reeltune.serve.rate import Rate
from reeltune.serve.settings import Settings
from reeltune.serve.tokens import Tokens
from serve.running import running

TOKENS = Tokens("w" * 32, "r" * 32)
WRITE, READ = ({"Authorization": f"Bearer {one}"} for one in (TOKENS.write, TOKENS.read))


@pytest.fixture
def open_server(library: Path) -> Iterator[httpx.Client]:
    """A server as others reach it, which asks for tokens."""
    settings = Settings(library=library, tokens=TOKENS, names=("nas",), is_open=True)
    with running(settings) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8420", 200),
        ("127.0.0.1", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:8420", 403),
        ("192.168.0.7", 403),
        ("localhost@evil.example", 403),
        ("", 403),
    ],
)
def test_a_server_on_loopback_has_few_names(server: httpx.Client, host: str, status: int) -> None:
    answer = server.get("/api/health", headers={"Host": host})
    assert answer.status_code == status
    assert status == 200 or answer.json()["kind"] == "ForeignHost"


def test_pages_of_other_sites_may_not_ask(server: httpx.Client) -> None:
    own = str(server.base_url).rstrip("/")
    for headers, status in [
        ({"Origin": own}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
    ]:
        answer = server.post("/api/search", json={"words": "red"}, headers=headers)
        assert answer.status_code == status, headers
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert server.get("/", headers=link).status_code == 200
    assert server.post("/api/search", json={"words": "a"}, headers=link).status_code == 403


def test_every_answer_has_a_policy_without_inline_scripts(server: httpx.Client) -> None:
    for path in ("/", "/api/library", "/api/nothing", "/static/search.js", "/enter"):
        headers = server.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers
    for path in ("/", "/enter"):
        page = server.get(path).text
        assert "<script>" not in page
        assert " style=" not in page


def test_what_the_package_holds_is_asked_for_again_but_not_sent_again(
    server: httpx.Client,
) -> None:
    first = server.get("/static/search.js")
    assert first.headers["cache-control"] == "no-cache"
    again = server.get("/static/search.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert server.get("/").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "read", "write"),
    [
        ("GET", "/api/library", 200, 200),
        ("GET", "/api/metrics", 200, 200),
        ("GET", "/api/openapi.json", 200, 200),
        ("POST", "/api/search", 422, 422),
        ("POST", "/api/score", 422, 422),
        ("POST", "/api/export", 422, 422),
        ("POST", "/api/search/picture", 422, 422),
        ("POST", "/api/export/picture", 422, 422),
        ("POST", "/api/export/clips", 422, 422),
        ("POST", "/api/clips", 422, 422),
        ("GET", "/api/clips/1/zip", 404, 404),
        ("DELETE", "/api/clips/1", 404, 404),
        ("DELETE", "/api/clipsandmore", 403, 404),
        ("GET", "/api/jobs", 200, 200),
        ("POST", "/api/jobs", 403, 422),
        ("DELETE", "/api/jobs/1", 403, 404),
        ("DELETE", f"/api/files/{'0' * 32}", 403, 404),
        ("POST", "/api/files/remove", 403, 422),
        ("GET", "/api/folders", 403, 200),
        ("GET", "/", 200, 200),
    ],
)
def test_tokens_allow_what_they_are_for(
    open_server: httpx.Client, method: str, path: str, read: int, write: int
) -> None:
    assert open_server.request(method, path, headers=READ).status_code == read
    assert open_server.request(method, path, headers=WRITE).status_code == write
    without = open_server.request(method, path)
    wrong = open_server.request(method, path, headers={"Authorization": "Bearer " + "x" * 32})
    status = 303 if path == "/" else 401
    assert [without.status_code, wrong.status_code] == [status, status]
    assert path == "/" or without.headers["www-authenticate"] == "Bearer"


def test_who_asks_is_told_what_the_token_allows(open_server: httpx.Client) -> None:
    for headers, may_write in ((READ, False), (WRITE, True)):
        assert open_server.get("/api/library", headers=headers).json()["may_write"] is may_write


def test_what_needs_no_token_tells_nothing(open_server: httpx.Client) -> None:
    assert open_server.get("/api/health").json() == {"status": "ok"}
    assert open_server.get("/static/reeltune.css").status_code == 200
    assert open_server.get("/static/../../settings.py").status_code == 303
    assert open_server.get("/static/%2e%2e/%2e%2e/settings.py").status_code == 404
    assert open_server.get("/enter").status_code == 200


def test_a_browser_enters_with_the_token(open_server: httpx.Client) -> None:
    page = open_server.get("/", follow_redirects=True)
    assert page.url.path == "/enter"
    wrong = open_server.post("/enter", data={"token": "x" * 32})
    assert (wrong.status_code, "This is not the token" in wrong.text) == (401, True)
    right = open_server.post("/enter?to=//evil.example", data={"token": TOKENS.read})
    assert (right.status_code, right.headers["location"]) == (303, "/")
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert open_server.get("/").status_code == 200
    assert open_server.get("/api/library").status_code == 200
    assert open_server.post("/api/jobs", json={}).status_code == 403


def test_a_browser_that_enters_is_led_to_the_search_that_it_asked_for(
    open_server: httpx.Client,
) -> None:
    open_server.cookies.clear()
    for asked, place in (
        ("/?words=a%20dog+%26+%C3%A4&in=said", "/?words=a%20dog+%26+%C3%A4&in=said"),
        ("/library", "/library"),
        ("/?words=" + "%C3%A4" * 400, "/"),  # longer than what is kept
    ):
        page = open_server.get(asked, follow_redirects=True)
        assert page.url.path == "/enter"
        right = open_server.post(str(page.url), data={"token": TOKENS.read})
        assert (right.status_code, right.headers["location"]) == (303, place)
        open_server.cookies.clear()


def test_an_open_server_is_called_by_its_name_or_an_address(open_server: httpx.Client) -> None:
    for host, status in [("nas", 200), ("192.168.0.7:80", 200), ("[fe80::1]", 200), ("x.org", 403)]:
        assert open_server.get("/api/health", headers={"Host": host}).status_code == status


def test_tokens_cannot_be_tried_one_after_another(open_server: httpx.Client) -> None:
    def tried(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return open_server.get("/api/library", headers=headers).status_code

    assert [tried(f"{number:032}") for number in range(12)] == [401] * 10 + [429] * 2
    assert tried(TOKENS.write) == 429, "or one would see which token is right"


def test_a_bucket_fills_up_again() -> None:
    rate = Rate(per_second=1000, at_once=2)
    assert [rate.take("a") for _ in range(3)][:2] == [True, True]
    slow = Rate(per_second=1e-6, at_once=2)
    assert [slow.take("a") for _ in range(3)] == [True, True, False]
    assert slow.take("b"), "which is another address"


def test_tokens_are_drawn_and_short_ones_refused() -> None:
    one, other = Tokens.drawn(), Tokens.drawn()
    assert len({one.read, one.write, other.read, other.write}) == 4
    assert min(map(len, (one.read, one.write))) >= 32
    assert one.write not in repr(one)
    assert (one.scope_of(one.write), one.scope_of(one.read)) == ("write", "read")
    assert [one.scope_of(wrong) for wrong in ("", "é", one.write[:-1], "\udc80")] == [None] * 4
    for short in ("secret", "é" * 40, "a b" * 20):
        with pytest.raises(ConfigError, match=r"REELTUNE_TOKEN has .* give it 32 or more"):
            Tokens.drawn(short)


def test_loopback_is_told_from_other_addresses() -> None:
    assert all(map(is_here, ("127.0.0.1", "::1", "localhost", "127.9.9.9")))
    assert not any(map(is_here, ("0.0.0.0", "::", "192.168.0.1", "nas", "")))
