"""Marks and tuning over HTTP and on the page: a real server, a real browser and a real training."""

import csv
import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

import reeltune
from reeltune import Library
from reeltune.errors import ConfigError, NotInLibraryError
from reeltune.serve.rate import Rate
from reeltune.serve.settings import Settings
from reeltune.serve.tokens import Tokens
from serve.browsing import grave_findings, watched_page
from serve.running import running

Clip = Callable[..., Path]
COLOURS = [(200, 20, 20), (20, 200, 20), (20, 20, 200), (200, 200, 20), (20, 200, 200)]
COLOURS += [(200, 20, 200), (240, 240, 240), (60, 60, 60)]
EVIL = "<img src=x onerror=alert(1)> =1+1"
SOON = 300_000  # ms that a training, or a page, may take on a busy machine


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, clip: Clip, model: str) -> Path:
    """Two videos below two roots, of eight moments each, in a library."""
    place = tmp_path_factory.mktemp("teach").resolve()
    clip(place / "one" / "learned.mp4", *COLOURS, seconds=5)
    clip(place / "two" / "held_out.mp4", *COLOURS[::-1], seconds=5)
    Library.create(place / "lib", model).index([place / "one", place / "two"])
    return place


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[httpx.Client]:
    with running(Settings(library=place / "lib")) as client:
        client.timeout = SOON / 1000
        yield client


@pytest.fixture(scope="module")
def page(server: httpx.Client) -> Iterator[Page]:
    with watched_page(str(server.base_url), SOON) as opened:
        yield opened


def shot(page: Page, name: str) -> None:
    """A screenshot, where somebody wants to look at it."""
    if "SCREENSHOTS" in os.environ:
        page.screenshot(path=f"{os.environ['SCREENSHOTS']}/{name}.png", full_page=True)


def test_the_api_and_the_client_keep_marks_as_the_library_does(
    server: httpx.Client, place: Path
) -> None:
    library = Library(place / "lib")
    first, second, *_ = library.moments()
    with reeltune.Client(str(server.base_url)) as client:
        made = [client.mark(first.id, "red"), client.mark(second.id, "red", "wrong")]
        assert client.marks() == library.marks() == made
        assert client.mark(f"#{first.id}", " red ", "caption").id == made[0].id
        assert client.unmark(made[0].id).verdict == "caption"
        for error, asked in [
            (ConfigError, (first.id, "\u202e")),
            (ConfigError, (first.id, "x" * 10_240)),
            (ConfigError, (first.id, "red", "so-so")),
            (NotInLibraryError, ("0" * 24, "red")),
        ]:
            with pytest.raises(error):
                client.mark(*asked)
        with pytest.raises(NotInLibraryError, match="has no mark 000"):
            client.unmark("0" * 24)
        assert client.marks() == library.marks() == [made[1]]
        listed = server.get("/api/marks", params={"text": "red", "file": second.file}).json()
        assert (listed["total"], listed["items"][0]["verdict"]) == (1, "wrong")
        assert server.get("/api/marks", params={"text": "blue"}).json()["items"] == []
        client.unmark(made[1].id)


def test_hostile_captions_are_kept_as_plain_text(server: httpx.Client, place: Path) -> None:
    moment = next(Library(place / "lib").moments()).id
    text = f"\u202e{EVIL}\r\n\x1b[2J\0\u2067"
    answer = server.post("/api/marks", json={"moment": moment, "text": text, "verdict": "caption"})
    assert (answer.status_code, answer.json()["text"]) == (201, f"{EVIL} [2J")
    long = server.post("/api/marks", json={"moment": moment, "text": "=" * 1000})
    assert long.status_code == 201
    table = server.get("/api/teaching/captions")
    assert table.headers["content-disposition"] == 'attachment; filename="captions.csv"'
    rows = [*csv.DictReader(io.StringIO(table.text))]
    assert [row["caption"] for row in rows] == [f"{EVIL} [2J", " " + "=" * 1000]
    for one in (answer, long):
        assert server.delete(f"/api/marks/{one.json()['id']}").status_code == 200
    refused = server.post("/api/marks", json={"moment": moment, "text": "\\ud800"})
    assert refused.status_code in (201, 422)
    for one in server.get("/api/marks").json()["items"]:
        server.delete(f"/api/marks/{one['id']}")


def test_marking_wants_the_token_for_all_and_goes_at_a_bearable_rate(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltune.serve.routes.marks.MARKING", Rate(1e-6, 2))
    tokens = Tokens.drawn()
    with running(Settings(library=place / "lib", tokens=tokens)) as server:
        server.timeout = SOON / 1000
        headers = {"Authorization": f"Bearer {tokens.read}"}
        assert server.get("/api/teaching", headers=headers).status_code == 200
        for path in ("/api/marks", "/api/tunings", f"/api/tunings/{'0' * 32}/use"):
            asked = {"moment": "0" * 24, "text": "red"}
            assert server.post(path, json=asked, headers=headers).status_code == 403
        headers = {"Authorization": f"Bearer {tokens.write}"}
        taken = f"/api/marks/{'0' * 24}"
        answers = [server.delete(taken, headers=headers).status_code for _ in range(3)]
        assert answers == [404, 404, 429]


def test_tuning_says_what_is_wanted(server: httpx.Client) -> None:
    facts = server.get("/api/teaching").json()
    assert (facts["learn"], facts["tunings"]) == (0, [])
    assert facts["wanted_for_verdict"] > facts["wanted"] > 8
    refused = server.post("/api/tunings")
    assert (refused.status_code, refused.json()["kind"]) == (409, "TooFewMarks")
    assert f"moments of about {facts['wanted']} further videos" in refused.json()["error"]
    none = server.post(f"/api/tunings/{'0' * 32}/use")
    assert (none.status_code, none.json()["kind"]) == (404, "NoRun")


def hit(page: Page, number: int) -> Any:
    return page.locator(".hit").nth(number)


def test_people_mark_moments_where_they_find_them(page: Page, server: httpx.Client) -> None:
    page.goto("/?q=red")
    expect(page.locator("#status")).to_contain_text(re.compile(r"moments? in"))
    expect(page.locator("#teaching")).to_contain_text("Mark moments right or wrong")
    right, wrong = (hit(page, 0).get_by_role("button", name=name) for name in ("Right", "Wrong"))
    right.click()
    expect(right).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#teaching")).to_contain_text("1 mark")
    wrong.focus()
    page.keyboard.press("Enter")
    expect(wrong).to_have_attribute("aria-pressed", "true")
    expect(right).to_have_attribute("aria-pressed", "false")
    hit(page, 1).get_by_role("button", name="Caption").click()
    page.keyboard.type(EVIL)
    shot(page, "marks")
    page.keyboard.press("Enter")
    expect(page.locator("#teaching")).to_contain_text("2 marks")
    expect(hit(page, 1).locator("form")).to_have_count(0)
    page.reload()
    expect(hit(page, 0).get_by_role("button", name="Wrong")).to_have_attribute(
        "aria-pressed", "true"
    )
    hit(page, 1).get_by_role("button", name="Caption").click()
    assert page.locator("textarea").input_value() == EVIL
    assert grave_findings(page) == []
    page.keyboard.press("Escape")
    hit(page, 0).get_by_role("button", name="Wrong").click()
    expect(hit(page, 0).get_by_role("button", name="Wrong")).to_have_attribute(
        "aria-pressed", "false"
    )
    page.goto("/?q=red+%2B+blue")
    expect(hit(page, 0).get_by_role("button", name="Caption")).to_be_visible()
    assert hit(page, 0).get_by_role("button", name="Right").count() == 0
    page.goto("/teach")
    expect(page.locator("#made li")).to_have_count(1)
    expect(page.locator("#made li")).to_contain_text(EVIL)
    page.get_by_role("button", name="Remove the mark").click()
    expect(page.locator("#none")).to_be_visible()
    assert server.get("/api/marks").json()["items"] == []


def marked(server: httpx.Client, place: Path) -> None:
    """Captions of all moments, and one that is wrong in each video."""
    moments = [*Library(place / "lib").moments()]
    words = ("red", "green", "blue", "yellow", "cyan", "pink", "white", "grey")
    colours = {"learned.mp4": words, "held_out.mp4": words[::-1]}
    for name, said in colours.items():
        own = [moment for moment in moments if moment.path.endswith(name)]
        assert len(own) == len(said)
        for moment, word in zip(own, said, strict=True):
            asked = {"moment": moment.id, "text": f"a {word} square", "verdict": "caption"}
            assert server.post("/api/marks", json=asked).status_code == 201
        wrong = {"moment": own[3].id, "text": f"a {said[0]} square", "verdict": "wrong"}
        assert server.post("/api/marks", json=wrong).status_code == 201


def test_the_page_teaches_says_what_it_was_worth_and_uses_the_model(
    page: Page, server: httpx.Client, place: Path
) -> None:
    marked(server, place)
    before = Library(place / "lib").manifest.fingerprint
    page.goto("/teach")
    expect(page.locator("#wanted")).to_have_text(
        "There is enough to teach, and to tell whether it helped."
    )
    expect(page.locator("#amounts")).to_contain_text("To test on8")
    assert grave_findings(page) == []
    page.get_by_role("button", name="Teach now").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#jobs")).to_contain_text("it goes on where it stopped")
    first = server.get("/api/jobs").json()["items"][0]
    page.get_by_role("button", name="Teach now").click()
    expect(page.locator(".done")).to_contain_text("on 8 held-out videos")
    job = server.get("/api/jobs").json()["items"][0]
    assert job["wanted"]["run"] == first["wanted"]["run"]
    assert job["result"]["wrong"]["candidates"] == 8
    curve = page.locator('[data-curve="loss"]')
    assert curve.evaluate("image => image.decode().then(() => image.naturalWidth)")
    (tuned,) = server.get("/api/teaching").json()["tunings"]
    assert (tuned["verdict"], tuned["in_use"]) == (job["result"]["verdict"], False)
    assert tuned["wrong"].startswith("held-out moments marked wrong: 1, of which")
    expect(page.locator("#tunings")).to_contain_text(tuned["verdict"])
    shot(page, "teach")
    assert grave_findings(page) == []
    again = server.post("/api/tunings")
    assert (again.status_code, again.json()["kind"]) == (409, "TunedAlready")
    assert server.get("/api/runs").json()["items"][0]["id"] == tuned["id"]
    page.get_by_role("button", name="Use it").click()
    expect(page.locator("#jobs")).to_contain_text("can now be searched")
    expect(page.locator("#tunings")).to_contain_text("Your library uses this model")
    opened = Library(place / "lib")
    assert opened.manifest.fingerprint != before
    assert server.post("/api/search", json={"words": "a red square"}).json()["hits"]
    assert len(opened.marks()) == 18
    assert all(mark.moment for mark in opened.marks())
    facts = server.get("/api/teaching").json()
    assert Path(facts["model"]) != Path(opened.manifest.model)  # what it began from
    for width, scheme, name in [(390, "light", "teach-phone"), (1280, "dark", "teach-dark")]:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.goto("/teach")
        expect(page.locator("#made li").first).to_be_visible()
        shot(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert grave_findings(page) == []
