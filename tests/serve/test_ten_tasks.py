"""Ten things that people want of their videos, done by somebody who knows nothing but the page."""

import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from reeltune.serve.settings import Settings
from serve.browsing import grave_findings, watched_page
from serve.running import running

Clip = Callable[..., Path]
COLOURS = {
    "red": (200, 20, 20),
    "green": (20, 200, 20),
    "blue": (20, 20, 200),
    "yellow": (200, 200, 20),
    "cyan": (20, 200, 200),
    "pink": (200, 20, 200),
    "white": (240, 240, 240),
    "grey": (60, 60, 60),
}
SOON, LATE = 60_000, 300_000  # ms that the page, and a training, may take on a busy machine
SHOWN = "async video => { while (video.readyState < 2) await new Promise(requestAnimationFrame) }"
HELD_OUT = 6  # captions that a verdict wants


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Path:
    """A folder with two videos of eight moments each, one of them old, and a broken one."""
    place = tmp_path_factory.mktemp("stranger").resolve()
    clip(place / "Videos" / "party.mp4", *COLOURS.values(), seconds=5)
    clip(place / "Videos" / "summer.mp4", *[*COLOURS.values()][::-1], seconds=5)
    os.utime(place / "Videos" / "summer.mp4", (1.5e9, 1.5e9))  # July 2017
    (place / "Videos" / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 100)
    return place


@pytest.fixture(scope="module")
def server(place: Path, model: str) -> Iterator[httpx.Client]:
    """A server that has no library yet."""
    settings = Settings(library=place / "lib", roots=(place / "Videos",), model=model)
    with running(settings) as client:
        client.timeout = LATE / 1000
        yield client


@pytest.fixture(scope="module")
def page(server: httpx.Client) -> Iterator[Page]:
    """A page that no script complains on."""
    with watched_page(str(server.base_url), SOON) as opened:
        yield opened


def picture() -> FilePayload:
    """A picture as the browser's own dialogue gives it to the page."""
    content = io.BytesIO()
    Image.new("RGB", (64, 48), COLOURS["blue"]).save(content, "PNG")
    return {"name": "a.png", "mimeType": "image/png", "buffer": content.getvalue()}


def shot(page: Page, name: str) -> None:
    """A screenshot, where somebody wants to look at it."""
    if "SCREENSHOTS" in os.environ:
        page.screenshot(path=f"{os.environ['SCREENSHOTS']}/{name}.png", full_page=True)


def button(place: Page | Locator, name: str | re.Pattern[str]) -> Locator:
    """The first button that is called so."""
    return place.get_by_role("button", name=name).first


def moments(page: Page) -> Locator:
    """The moments that are on the page, when those before are gone."""
    expect(page.locator("#hits")).not_to_have_attribute("aria-busy", "true")
    return page.get_by_role("button", name=re.compile(r"^\d+:\d\d.\d+:\d\d "))


def search(page: Page, words: str) -> None:
    """Write words and press Enter."""
    with page.expect_response("**/api/search"):
        page.get_by_role("searchbox").fill(words)
        page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(r"\d moments? in [\d.]+ s"))).to_be_visible()


def saved(page: Page, name: str) -> bytes:
    """What a button has the browser save."""
    with page.expect_download() as download:
        button(page, name).click()
    return download.value.path().read_bytes()


def describe(page: Page, video: str, count: int) -> None:
    """Write what the first moments of a video show."""
    page.get_by_role("link", name="Library").click()
    page.get_by_role("link", name=video).click()
    expect(moments(page)).to_have_count(len(COLOURS))
    words = [*COLOURS] if video == "party.mp4" else [*COLOURS][::-1]
    cards = page.get_by_role("group", name=re.compile(f"^Teach: {video}"))
    for number in range(count):
        button(cards.nth(number), "Caption").click()
        page.keyboard.type(f"a {words[number]} square")
        page.keyboard.press("Enter")
        expect(page.get_by_role("textbox", name="What is seen")).to_have_count(0)


def test_a_stranger_does_ten_things_by_what_the_page_shows(page: Page, place: Path) -> None:
    page.goto("/")
    # A folder is added, and what could not be read says why.
    expect(page.get_by_text("3 videos right in it")).to_be_visible()
    button(page, "Index this folder").click()
    expect(page.get_by_text("Done: 2 new, 1 failed")).to_be_visible(timeout=LATE)
    failed = page.get_by_role("listitem").filter(has_text="broken.mp4")
    expect(failed).to_contain_text(re.compile(r"broken\.mp4 \w+"))
    page.get_by_role("link", name="Search these videos").click()
    expect(page.get_by_text("2 videos, 16 moments to search in")).to_be_visible()
    # A moment is found, played and cut.
    search(page, "a red wall")
    moments(page).first.click()
    video = page.locator("video")
    expect(video).to_be_visible()
    video.evaluate(SHOWN)
    assert saved(page, "Save exact clip")[4:8] == b"ftyp"
    # Others like it are found.
    button(page, "More like this").click()
    expect(page.get_by_text("Like this moment", exact=True)).to_be_visible()
    expect(moments(page).first).to_be_visible()
    button(page, "Remove: Like this moment").click()
    # Only old videos are searched, and what is found is saved.
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Until").fill("2018-01-01")
    search(page, "a red wall")
    expect(moments(page).first).to_contain_text("summer.mp4")
    expect(page.get_by_role("button", name="party.mp4")).to_have_count(0)
    rows = saved(page, "CSV").decode().splitlines()
    assert len(rows) == 1 + moments(page).count()
    # A picture is searched by.
    button(page, "Clear filters").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_title("Search by a picture").click()
    with page.expect_response("**/api/search/picture"):
        chooser.value.set_files(picture())
    expect(page.get_by_text("Like this picture", exact=True)).to_be_visible()
    expect(moments(page).first).to_contain_text("% sure")
    # Moments are described and marked, and a model is tuned by that.
    describe(page, "party.mp4", len(COLOURS))
    describe(page, "summer.mp4", HELD_OUT)
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.get_by_text("2 videos, 16 moments to search in")).to_be_visible()
    search(page, "a red square")
    button(page, "Wrong").click()
    expect(button(page, "Wrong")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Teach", exact=True).click()
    expect(page.get_by_text("There is enough to teach, and to tell whether it")).to_be_visible()
    assert grave_findings(page) == []
    button(page, "Teach now").click()
    expect(page.get_by_text(f"on {HELD_OUT} held-out videos").first).to_be_visible(timeout=LATE)
