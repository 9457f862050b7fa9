"""Names of files and captions with markup, control characters and marks that reorder a line."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reeltune import Client, Library
from reeltune.serve.settings import Settings
from serve.running import running

NAMES = [
    "<script>alert(1)<.mp4",
    '"><img src=x onerror=alert(1)>.mp4',
    "{{ 7 * 7 }}{% include 'index.html' %}.mp4",
    "line\r\nSet-Cookie: a=b.mp4",
    "gpj.\u202e4pm.mp4",
    "=cmd|'calc'!A0.mp4",
    "\x1b[31mred\x07.mp4",
    "snow \u2603 \u05e9\u05dc\u05d5\u05dd.mp4",
]


@pytest.fixture(scope="module")
def place(library: Path, tmp_path_factory: pytest.TempPathFactory, model: str) -> Path:
    """A library of one video under each of the names."""
    place = tmp_path_factory.mktemp("hostile")
    (place / "videos").mkdir()
    for number, name in enumerate(NAMES):
        content = (library.parent / "videos" / "red.mp4").read_bytes()
        box = (8 + 1).to_bytes(4, "big") + b"free" + bytes([number])  # or they were one content
        (place / "videos" / name).write_bytes(content + box)
    Library.create(place / "lib", model).index(place / "videos")
    return place


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[httpx.Client]:
    roots = ((place / "videos").resolve(),)
    with running(Settings(library=place / "lib", roots=roots)) as client:
        yield client


def test_names_come_through_the_api_as_they_are(server: httpx.Client, place: Path) -> None:
    here = {str(path) for path in (place / "videos").iterdir()}
    assert {file["path"] for file in server.get("/api/files").json()["items"]} == here
    wanted = {"words": "red", "fold": False}
    hits = server.post("/api/search", json=wanted).json()["hits"]
    assert {hit["path"] for hit in hits} == here
    assert {file.path for file in Client(str(server.base_url)).files()} == here
    table = server.post("/api/export", json={"query": wanted, "format": "csv"})
    rows = csv.DictReader(io.StringIO(table.text, newline=""))
    assert {row["path"] for row in rows} == here


def test_videos_with_such_names_are_sent_with_harmless_headers(server: httpx.Client) -> None:
    for file in server.get("/api/files").json()["items"]:
        answer = server.get(f"/api/files/{file['id']}/media")
        assert answer.status_code == 200
        named = answer.headers["content-disposition"]
        assert named.isascii()
        assert not set('<>"\r\n\x1b') & set(named)
        assert "set-cookie" not in answer.headers


def test_a_clip_of_such_a_file_is_named_harmlessly(server: httpx.Client) -> None:
    (moment,) = server.get("/api/moments", params={"where": "path like '%script%'"}).json()["items"]
    answer = server.get(f"/api/moments/{moment['id']}/clip")
    assert answer.status_code == 200
    assert not set('<>"\r\n') & set(answer.headers["content-disposition"])


@pytest.mark.parametrize("name", ["<b>x</b>", "\u202egpj", "a\x1b[2J", "\x00", "\ud800", "%2e%2e"])
def test_what_a_client_names_is_sent_back_as_data(server: httpx.Client, name: str) -> None:
    for address, wanted in [
        ("/api/search", {"words": "red", "inside": name}),
        ("/api/jobs", {"kind": "index", "paths": [name]}),
    ]:
        answer = server.post(
            address, content=json.dumps(wanted), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 404, 422)
        assert answer.headers["content-type"] == "application/json"
        assert answer.json().keys() == {"error", "kind"}


def test_the_page_of_an_empty_library_escapes_its_folder(tmp_path: Path) -> None:
    place = tmp_path / "<script>alert(1)<"
    place.mkdir()
    with running(Settings(library=place / "lib", roots=(place,))) as client:
        page = client.get("/").text
    assert "<script>alert" not in page
    shutil.rmtree(place)
