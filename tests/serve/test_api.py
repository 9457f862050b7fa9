"""What the API answers, over HTTP from a real server."""

import json
from pathlib import Path

import httpx
import pytest

from reeltune import Library
from reeltune.search.hit_fields import fields_of
from reeltune.serve.settings import Settings
from serve.running import running

JSON = {"Content-Type": "application/json"}


def test_a_search_answers_what_the_library_does(server: httpx.Client, library: Path) -> None:
    for wish in ({}, {"where": "duration > 3"}, {"in": ["seen"]}, {"from": 1, "to": 4}):
        answer = server.post("/api/search", json={"words": "a red square", "top": 2} | wish).json()
        between = (wish.get("from"), wish.get("to"))
        found = Library(library).search(
            "a red square",
            k=3,
            where=wish.get("where"),
            channels=wish.get("in", ()),
            between=between,
        )
        assert answer["hits"] == [fields_of(hit) for hit in found[:2]]
        assert (answer["page"], answer["more"]) == (1, len(found) == 3)


def test_a_next_page_goes_on_where_the_last_one_ended(server: httpx.Client) -> None:
    def ids(**wishes: int) -> list[str]:
        answer = server.post("/api/search", json={"words": "blue", "fold": False, **wishes})
        return [hit["id"] for hit in answer.json()["hits"]]

    assert ids(top=1) + ids(top=1, page=2) + ids(top=1, page=3) == ids(top=3) != []


@pytest.mark.parametrize("words", ["blue", "yellow", "a red square", "green"])
def test_pages_hold_each_moment_once_and_the_first_is_what_a_library_finds(
    server: httpx.Client, library: Path, words: str
) -> None:
    opened = Library(library)
    every = {moment.id for moment in opened.moments()}  # more than there are videos
    for top in range(1, len(every) + 1):
        paged: list[str] = []
        for page in range(1, len(every) + 1):
            wanted = {"words": words, "fold": False, "top": top, "page": page}
            answer = server.post("/api/search", json=wanted).json()
            if page == 1:
                found = opened.search(words, fold=False, k=top)
                assert answer["hits"] == [fields_of(hit) for hit in found]
            paged += [hit["id"] for hit in answer["hits"]]
            if not answer["more"]:
                break
        assert sorted(paged) == sorted(every)


def test_a_moment_finds_others_in_a_part_of_the_library(server: httpx.Client) -> None:
    files = server.get("/api/files").json()["items"]
    one, other = files[0]["id"], files[1]
    moment = server.get("/api/moments", params={"file": one}).json()["items"][0]["id"]
    for inside in (other["id"], other["location"]):
        wanted = {"like": moment, "inside": inside}
        hits = server.post("/api/search", json=wanted).json()["hits"]
        assert {hit["file"] for hit in hits} == {other["id"]}


def test_lists_come_in_pages(server: httpx.Client) -> None:
    for address in ("/api/files", "/api/moments"):
        whole = server.get(address).json()
        assert whole["total"] == len(whole["items"]) > 2
        assert whole["next"] is None
        start, found = 0, []
        while start is not None:
            page = server.get(address, params={"start": start, "count": 2}).json()
            found += page["items"]
            start = page["next"]
        assert found == whole["items"]


def test_the_first_moment_of_each_video_can_be_listed(server: httpx.Client, library: Path) -> None:
    found = server.get("/api/moments", params={"first": True}).json()
    every: dict[str, str] = {}
    for moment in Library(library).moments():
        every.setdefault(moment.file, moment.id)
    assert [moment["id"] for moment in found["items"]] == [*every.values()]
    assert found["total"] == len(every)


def test_moments_pass_a_filter(server: httpx.Client, library: Path) -> None:
    found = server.get("/api/moments", params={"where": "duration > 3"}).json()
    assert [one["id"] for one in found["items"]] == [
        one.id for one in Library(library).moments("duration > 3")
    ]


def test_thumbnails_are_those_of_the_library(server: httpx.Client, library: Path) -> None:
    moment = next(iter(Library(library).moments()))
    picture = server.get(f"/api/moments/{moment.id}/thumbnail")
    assert picture.content == Library(library).thumbnails(moment.id)[moment.id]
    assert picture.headers["content-type"] == "image/jpeg"


def test_the_library_is_told_of(server: httpx.Client, library: Path) -> None:
    facts = server.get("/api/library").json()
    videos = str((library.parent / "videos").resolve())
    assert (facts["there"], facts["files"]) == (True, 3)
    assert facts["folders"] == [{"path": videos, "files": 3}]


def test_a_server_starts_before_there_is_a_library(tmp_path: Path) -> None:
    with running(Settings(library=tmp_path / "none", roots=(tmp_path,))) as client:
        assert client.get("/api/health").json() == {"status": "ok"}
        facts = client.get("/api/library").json()
        assert (facts["there"], facts["roots"]) == (False, [str(tmp_path)])
        assert "folders" in client.get("/").text
        refused = client.post("/api/search", json={"words": "a dog"})
        assert (refused.status_code, refused.json()["kind"]) == (404, "NoLibrary")


@pytest.mark.parametrize(
    ("wanted", "status", "kind", "said"),
    [
        ({}, 400, "ConfigError", "a search needs something that counts"),
        ({"words": "a dog", "top": 0}, 422, "Invalid", "top: Input should be greater"),
        ({"words": "a dog", "typo": 1}, 422, "Invalid", "typo: Extra inputs"),
        ({"words": "a", "where": "size +"}, 400, "ConfigError", "the filter"),
        ({"words": "a + @/etc/passwd.png"}, 400, "ConfigError", "@/etc/passwd.png names a file"),
        ({"words": "a", "not": ["@b.mp4"]}, 400, "ConfigError", "@b.mp4 names a file"),
        ({"words": "a", "inside": "/etc"}, 404, "NotInLibraryError", "no file /etc"),
        ({"like": "0" * 24}, 404, "NotInLibraryError", "has no moment #000"),
        ({"words": "\ud800"}, 422, "Invalid", "words: "),
        ({"words": "a", "in": ["said"]}, 400, "ConfigError", "no video of"),
    ],
)
def test_what_cannot_be_searched_for_is_said(
    server: httpx.Client, wanted: dict[str, object], status: int, kind: str, said: str
) -> None:
    answer = server.post("/api/search", content=json.dumps(wanted), headers=JSON)
    assert answer.json().keys() == {"error", "kind"}
    assert (answer.status_code, answer.json()["kind"]) == (status, kind), answer.text
    assert said in answer.json()["error"]


def test_a_broken_form_is_refused_and_writes_nothing_on_the_terminal(
    server: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    form = b'--x\r\nContent-Disposition: form-data;[\rname="picture"\r\n\r\n1\r\n--x--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = server.post("/api/search/picture", content=form, headers=kind)
    assert answer.status_code in (400, 422), answer.text
    assert capsys.readouterr().err == ""


def test_a_parameter_that_nothing_reads_is_refused(server: httpx.Client) -> None:
    moment = server.get("/api/moments").json()["items"][0]["id"]
    picture = server.get(f"/api/moments/{moment}/thumbnail").content
    for answer, there in (
        (
            server.get("/api/moments", params={"wher": "x"}),
            "count, file, first, start, where",
        ),
        (server.get(f"/api/moments/{moment}/clip?exat=true"), "those are exact, from, to"),
        (server.get("/api/library", params={"wher": "x"}), "it has none"),
        (
            server.post("/api/search/picture", files={"picture": picture}, data={"where": "x"}),
            "those are picture, query",
        ),
    ):
        assert (answer.status_code, answer.json()["kind"]) == (400, "Invalid")
        assert "is no parameter of this address; " in answer.json()["error"]
        assert answer.json()["error"].endswith(there)
    shown = server.post("/api/search/picture", files={"picture": picture}, data={"query": "{}"})
    assert shown.status_code == 200, shown.text


def test_what_a_body_lacks_is_named(server: httpx.Client) -> None:
    lacking = server.post("/api/export", json={"words": "red"}).json()["error"]
    assert lacking == "query: Field required"
    broken = server.post("/api/search", content="{x", headers=JSON).json()["error"]
    assert broken.startswith("the body is no JSON (")
    assert broken.endswith(" at character 1)")


def test_every_error_has_one_shape(server: httpx.Client) -> None:
    answers = [
        server.get("/api/nothing"),
        server.put("/api/files"),
        server.get("/api/files", params={"start": -1}),
        server.get("/api/files/1234/media"),
        server.get(f"/api/files/{'0' * 32}/media"),
        server.get(f"/api/moments/{'0' * 24}/thumbnail"),
        server.post("/api/search", content="{", headers=JSON),
        server.post("/api/search", content="{}"),
        server.post("/api/search", content=b" " * (2 << 20), headers=JSON),
        server.post("/api/search", content=(b" " * 1024 for _ in range(2 << 10)), headers=JSON),
    ]
    assert [one.status_code for one in answers] == [
        404,
        405,
        422,
        422,
        404,
        404,
        422,
        422,
        413,
        413,
    ]
    assert all(one.json().keys() == {"error", "kind"} for one in answers)
