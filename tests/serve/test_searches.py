"""Searches by picture, scores, files of hits and counts, over HTTP from a real server."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from reeltune import Library
from reeltune.search.hit_fields import fields_of
from reeltune.serve.export import exported
from reeltune.types import Hit

# A text that was read beside others, in one round, has a vector that differs by rounding.
ROUNDING = 1e-6


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "red.png"
    Image.new("RGB", (64, 48), (200, 20, 20)).save(path)
    return path


def test_a_picture_is_searched_by(server: httpx.Client, library: Path, picture: Path) -> None:
    for query, wishes in (({}, {}), ({"words": "red", "where": "duration < 3"}, {"text": "red"})):
        files = {"picture": ("../../etc/passwd", picture.read_bytes(), "image/png")}
        data = {"query": json.dumps(query)} if query else {}
        answer = server.post("/api/search/picture", files=files, data=data)
        found = Library(library).search(image=picture, where=query.get("where"), **wishes)
        hits = [fields_of(hit) for hit in found]
        assert answer.json()["hits"] == [near(hit) for hit in hits]


def near(hit: dict[str, Any]) -> dict[str, Any]:
    """A hit whose numbers count up to rounding: beside a picture torch reads the words of a
    library that was just opened, and numpy those of a server that has read words before."""
    parts = {name: pytest.approx(part, rel=1e-5) for name, part in hit["parts"].items()}
    numbers = {name: pytest.approx(hit[name], rel=1e-5) for name in ("score", "confidence")}
    return hit | numbers | {"parts": parts}


def test_what_a_picture_finds_is_saved(server: httpx.Client, picture: Path) -> None:
    files = {"picture": picture.read_bytes()}
    data = {"query": json.dumps({"words": "red", "top": 2})}
    found = server.post("/api/search/picture", files=files, data=data).json()["hits"]
    assert server.post("/api/export/picture", files=files, data=data).json() == found
    saved = server.post("/api/export/picture", files=files, data=data | {"format": "csv"})
    assert saved.headers["content-disposition"] == 'attachment; filename="moments.csv"'
    assert [row["id"] for row in csv.DictReader(io.StringIO(saved.text))] == [
        hit["id"] for hit in found
    ]


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"no picture", 400, "NoPicture"),
        (b"", 400, "NoPicture"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", 400, "NoPicture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, 400, "NoPicture"),
        (b"x" * (33 << 20), 413, "TooLarge"),
    ],
)
def test_what_is_no_picture_is_refused(
    server: httpx.Client, content: bytes, status: int, kind: str
) -> None:
    answer = server.post("/api/search/picture", files={"picture": content})
    assert (answer.status_code, answer.json()["kind"]) == (status, kind)
    assert "/" not in answer.json()["error"].replace("/api/search/picture", "")


def test_a_query_beside_a_picture_is_checked(server: httpx.Client, picture: Path) -> None:
    for query in ("{", '{"typo": 1}', "3", '{"words": "@/etc/passwd.png"}'):
        files = {"picture": picture.read_bytes()}
        answer = server.post("/api/search/picture", files=files, data={"query": query})
        assert answer.status_code in (400, 422)
        assert answer.json().keys() == {"error", "kind"}


def test_pairs_are_scored_by_the_cosine(server: httpx.Client, library: Path) -> None:
    opened = Library(library)
    moments = [*opened.moments(vectors=True)][:2]
    words = ["a red square", "snow"]
    pairs = [{"words": text, "moment": one.id} for text in words for one in moments]
    scores = server.post("/api/score", json={"pairs": pairs}).json()["scores"]
    vectors = np.stack([one.vector for one in moments])
    assert scores == pytest.approx(
        (opened.embed_text(words) @ vectors.T).ravel().tolist(), abs=1e-6
    )
    missing = server.post("/api/score", json={"pairs": [{"words": "a", "moment": "0" * 24}]})
    assert missing.json()["kind"] == "NotInLibraryError"


def test_the_strip_of_a_video_has_the_scores_that_a_search_gives(
    server: httpx.Client, library: Path
) -> None:
    files = server.get("/api/files").json()["items"]
    file = max(files, key=lambda one: one["moments"])
    strip = server.get(f"/api/files/{file['id']}/scores", params={"text": "yellow"}).json()["parts"]
    moments = [one for one in Library(library).moments() if one.file == file["id"]]
    assert [one["id"] for one in strip] == [one.id for one in moments]
    hits = {hit.id: hit.score for hit in Library(library).search("yellow", k=50, fold=False)}
    assert [one["score"] for one in strip] == pytest.approx(
        [hits[one.id] for one in moments], abs=ROUNDING
    )


def test_hits_are_exported(server: httpx.Client, library: Path) -> None:
    found = Library(library).search("red", k=2)
    wanted = {"query": {"words": "red", "top": 2}}
    as_json = server.post("/api/export", json=wanted)
    assert as_json.json() == [near(fields_of(hit)) for hit in found]
    assert as_json.headers["content-disposition"] == 'attachment; filename="moments.json"'
    rows = [
        *csv.DictReader(
            io.StringIO(server.post("/api/export", json=wanted | {"format": "csv"}).text)
        )
    ]
    assert [(row["id"], row["location"]) for row in rows] == [(h.id, h.location) for h in found]
    assert float(rows[0]["score"]) == pytest.approx(found[0].score, abs=ROUNDING)


def test_no_cell_of_a_table_is_a_formula() -> None:
    hit = Hit(
        path='=HYPERLINK("x")',
        location="/a",
        start=0,
        end=1,
        duration=1,
        score=-0.5,
        confidence=None,
        caption='@SUM(A1),\n"b"',
    )
    (row,) = csv.DictReader(io.StringIO(exported([hit], "csv").decode()))
    assert (row["path"], row["score"]) == ('\'=HYPERLINK("x")', "-0.5")
    assert row["caption"] == '\'@SUM(A1),\n"b"'


def test_requests_are_counted_by_their_address(server: httpx.Client) -> None:
    server.get("/api/files/" + "0" * 32 + "/media")
    server.get("/api/nothing/" + "x" * 50)
    text = server.get("/api/metrics").text
    line = 'reeltune_requests_total{method="GET",route="/api/files/{file}/media",status="404"}'
    assert line in text
    assert "x" * 50 not in text
    assert "reeltune_library_files 3.0" in text
    assert "reeltune_jobs 0.0" in text
