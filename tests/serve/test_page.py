"""The page as people use it: a browser, a real server and real videos."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from zipfile import ZipFile

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from reeltune.search.ingest import Choice, index
from reeltune.serve.settings import Settings
from serve.browsing import chromium, grave_findings, watched
from serve.running import running

SOON = 60_000  # ms that work on a busy machine may take
FOUND = re.compile(r"\d moments? in [\d.]+ s$")
EVIL = "<img src=x onerror=alert(1)> \u202e4pm.red.mp4"
SUBTITLES = "1\n00:00:00,000 --> 00:00:02,000\nA purple dog says hello to <b>everyone</b>\n"


class WritesClip(Protocol):
    """`write_clip` of the fixtures."""

    def __call__(self, path: Path, *colours: tuple[int, int, int], seconds: float = 2) -> Path: ...


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, clip: WritesClip, exported_model: str) -> Path:
    """A root with videos that are in a library, one of them with subtitles, and further ones."""
    place = tmp_path_factory.mktemp("page").resolve()
    clip(place / "root" / "old" / "two.mp4", (20, 20, 200), (200, 200, 20), seconds=5)
    clip(place / "root" / "old" / EVIL, (200, 20, 20))
    (place / "root" / "old" / "two.srt").write_text(SUBTITLES)
    clip(place / "root" / "new" / "green.mp4", (20, 200, 20))
    (place / "root" / "new" / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 100)
    report = index(
        [place / "root" / "old"], place / "lib", Choice(model=exported_model, speech="none")
    )
    assert len(report.indexed) == 2
    return place


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[httpx.Client]:
    """A server of that library, which may bring in what is below the root."""
    with running(Settings(library=place / "lib", roots=(place / "root",))) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, server: httpx.Client) -> Iterator[Page]:
    """A page that nothing has visited; what a script complains of fails the test."""
    with watched(browser, str(server.base_url), SOON // 4) as opened:
        yield opened


def found(page: Page, words: str) -> Any:
    """The moments that words find, when they are there."""
    with page.expect_response("**/api/search"):
        page.get_by_role("searchbox").fill(words)
        page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text(FOUND)
    expect(page.locator("#hits")).not_to_have_attribute("aria-busy", "true")
    return page.locator(".hit")


def test_words_find_moments_that_say_why_and_go_into_the_address(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#status")).to_contain_text("2 videos")
    hits = found(page, "purple dog")
    first = hits.first
    expect(first).to_contain_text("two.mp4")
    expect(first).to_contain_text("0:00\u20130:02")
    expect(first.locator("mark")).to_have_text(["purple", "dog"])
    assert first.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert page.url.endswith("/?q=purple+dog")
    page.goto("/")
    page.get_by_role("button", name="purple dog").click()
    expect(page.locator(".hit").first).to_contain_text("two.mp4")


def test_enter_means_what_was_asked_while_it_was_written_and_a_second_one_asks_again(
    page: Page,
) -> None:
    page.goto("/")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/api/search" in one.url else None)
    page.get_by_role("searchbox").fill("a blue thing")
    expect(page.locator("#status")).to_contain_text(FOUND)
    assert "q=" not in page.url
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?q=a\+blue\+thing$"))
    assert "a blue thing" in page.evaluate("localStorage['reeltune.recent']")
    assert len(asked) == 1
    with page.expect_response("**/api/search"):
        page.keyboard.press("Enter")
    page.get_by_role("searchbox").fill('"half')
    page.wait_for_event("response", lambda answer: answer.status == 400)
    expect(page.locator(".problem")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator(".problem")).to_contain_text("without its other half")


def test_names_with_markup_and_marks_of_direction_are_shown_as_they_are(page: Page) -> None:
    page.goto("/")
    expect(page.locator(".name", has_text="onerror")).to_have_text(
        "<img src=x onerror=alert(1)> \\u202e4pm.red.mp4"
    )
    assert page.locator(".name img").count() == 0
    page.goto("/library")
    expect(page.locator("#videos li")).to_have_count(2)
    assert page.locator("#videos img").count() == 0
    assert "\u202e" not in page.locator("#videos").inner_text()


NOW = """async video => {
  while (video.readyState < 2 || video.seeking) await new Promise(done => setTimeout(done, 20));
  return video.currentTime;
}"""  # s, as soon as a video shows the frame that it was sent to


def test_a_moment_plays_where_it_is_from_its_beginning_on(page: Page, server: httpx.Client) -> None:
    files = server.get("/api/files").json()["items"]
    two = next(file["id"] for file in files if file["path"].endswith("two.mp4"))
    page.goto(f"/?inside={two}")
    page.get_by_role("button", name="0:05\u20130:10 two.mp4").click()
    assert 4.9 <= page.locator(".player video").evaluate(NOW) <= 9.5
    page.keyboard.press("Escape")
    expect(page.locator("video")).to_have_count(0)


def test_scores_over_the_whole_video_lead_to_its_parts(page: Page) -> None:
    page.goto("/")
    found(page, "purple dog").first.locator(".play").click()
    video = page.locator(".player video")
    assert video.evaluate(NOW) < 4.5
    page.get_by_role("slider", name="Where in the video it matches").press("ArrowRight")
    assert 4.9 <= video.evaluate(NOW) <= 9.5


def test_the_keyboard_alone_searches_walks_plays_and_closes(page: Page) -> None:
    page.goto("/library")
    page.goto("/")
    expect(page.locator(".hit")).to_have_count(2)
    page.locator("#main").focus()
    page.keyboard.press("/")
    page.keyboard.type("red")
    with page.expect_response("**/api/search"):
        page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text(FOUND)
    page.keyboard.press("ArrowDown")
    expect(page.locator(".play").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".play").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".player video")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".play").nth(1)).to_be_focused()


def test_filters_groups_and_moments_alike(page: Page) -> None:
    page.goto("/")
    found(page, "colours")
    page.get_by_label("Group by video").check()
    expect(page.locator(".video")).to_have_count(2)
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Until").fill("2001-01-01")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".video")).to_have_count(2)
    with page.expect_response("**/api/search"):
        page.locator(".hit").first.get_by_role("button", name="More like this moment").click(
            force=True
        )
    expect(page.get_by_text("Like this moment", exact=True)).to_be_visible()
    assert "like=" in page.url
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("colours")


def test_a_picture_is_dropped_to_search_by(page: Page) -> None:
    page.goto("/")
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (20, 20, 200)).save(picture, "PNG")
    dropped = page.evaluate_handle(
        "bytes => { const all = new DataTransfer(); all.items.add(new File("
        "[new Uint8Array(bytes)], 'a.png', {type: 'image/png'})); return all }",
        [*picture.getvalue()],
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": dropped})
    expect(page.get_by_text("Drop a picture")).to_be_visible()
    with page.expect_response("**/api/search/picture") as answer:
        page.dispatch_event("body", "drop", {"dataTransfer": dropped})
    assert answer.value.ok
    expect(page.get_by_text("Like this picture", exact=True)).to_be_visible()
    expect(page.locator(".hit").first).to_contain_text("% sure")
    with page.expect_download() as saved:
        page.get_by_role("button", name="JSON").click()
    assert [hit["id"] for hit in json.loads(saved.value.path().read_text())] == [
        hit["id"] for hit in answer.value.json()["hits"]
    ]
    expect(page.locator(".hit")).not_to_have_count(0)


def test_hits_and_clips_are_saved(page: Page) -> None:
    page.goto("/")
    hits = found(page, "purple dog")
    with page.expect_download() as saved:
        page.get_by_role("button", name="JSON").click()
    rows = json.loads(saved.value.path().read_text())
    assert len(rows) == hits.count()
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    assert saved.value.suggested_filename == "moments.csv"
    assert len(saved.value.path().read_text().splitlines()) == len(rows) + 1
    page.get_by_role("button", name="Video clips").click()
    dialog = page.get_by_role("dialog", name="Save these moments as video clips")
    expect(dialog.get_by_role("radio", name="Fast copy")).to_be_checked()
    assert grave_findings(page) == []
    with page.expect_download() as saved:
        dialog.get_by_role("button", name=f"Save {len(rows)} clips").click()
    expect(page.locator("#saving")).to_have_text(f"{len(rows)} clips saved as clips.zip.")
    with ZipFile(saved.value.path()) as archive:
        told = json.loads(archive.read("clips.json"))
    assert [one["id"] for one in told["clips"]] == [row["id"] for row in rows]
    page.get_by_role("button", name="Video clips").click()
    dialog.get_by_role("radio", name="Exact clip").check()
    with page.expect_download() as saved:
        dialog.get_by_role("button", name=f"Save {len(rows)} clips").click()
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        expect(page.get_by_role("button", name="Video clips")).to_be_disabled()
        assert grave_findings(page) == []
    expect(page.locator("#saving")).to_have_text(f"{len(rows)} clips saved as clips.zip.")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    expect(page.get_by_role("button", name="Video clips")).to_be_enabled()
    with ZipFile(saved.value.path()) as archive:
        told = json.loads(archive.read("clips.json"))
    assert {one["kind"] for one in told["clips"]} == {"exact"}
    page.get_by_role("button", name="Video clips").click()
    dialog.get_by_role("button", name=f"Save {len(rows)} clips").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#saving")).to_have_text("Stopped. No clips were saved.")
    hits.first.locator(".play").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save exact clip").click()
    assert saved.value.suggested_filename == "two 0.0-2.0 s.mp4"
    exact = saved.value.path().read_bytes()
    assert exact[4:8] == b"ftyp"
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save fast copy").click()
    assert saved.value.path().read_bytes() != exact
    copies = page.get_by_role("button", name="Save fast copy")
    expect(copies).to_have_accessible_description(re.compile("begins at the key frame"))
    exacts = page.get_by_role("button", name="Save exact clip")
    expect(exacts).to_have_accessible_description(re.compile("begins and ends at the very"))


def test_a_page_that_is_loaded_anew_takes_up_its_exact_clips(page: Page) -> None:
    page.goto("/?q=purple+dog")
    page.get_by_role("button", name="Video clips").click()
    page.get_by_role("radio", name="Exact clip").check()
    page.get_by_role("button", name=re.compile(r"Save \d clips")).click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    with page.expect_download() as saved:
        page.reload()
    expect(page.locator("#saving")).to_have_text(re.compile(r"\d clips saved as clips.zip."))
    with ZipFile(saved.value.path()) as archive:
        assert archive.testzip() is None
    page.reload()
    expect(page.locator("#status")).to_contain_text(FOUND)
    expect(page.locator("#saving")).to_be_hidden()
    page.evaluate("sessionStorage.clips = 'of a server that has ended'")
    page.reload()
    expect(page.locator(".problem")).to_contain_text("gone, as the server was started anew")
    expect(page.get_by_role("button", name="Video clips")).to_be_enabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_moments_that_do_not_match_are_faint_until_they_are_looked_at(
    page: Page, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    def answered(route: Route) -> None:
        found = route.fetch().json()
        assert found["fair"] == 0.07
        for hit, chance in zip(found["hits"], (0.07, 0.0), strict=True):
            hit["confidence"] = chance
        route.fulfill(json=found)

    page.route("**/api/search", answered)
    page.goto("/")
    hits = found(page, "colours")
    pictures = [hits.nth(place).locator(".shot img") for place in range(2)]
    expect(hits.nth(0)).to_contain_text("seen")
    expect(pictures[0]).to_have_css("opacity", "1")
    expect(pictures[1]).to_have_css("opacity", "0.3")
    expect(hits.nth(1)).not_to_contain_text("seen")
    assert grave_findings(page) == []
    hits.nth(1).locator(".play").focus()
    expect(pictures[1]).to_have_css("opacity", "1")


def test_the_pages_are_named_on_one_line_of_a_phone(page: Page) -> None:
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        page.goto("/teach")
        links = page.get_by_role("navigation", name="Pages").get_by_role("link")
        expect(links).to_have_text(["Search", "Library", "Teach", "Runs"])
        boxes = [one.bounding_box() for one in [page.locator(".brand"), *links.all()]]
        middles = {round(box["y"] + box["height"] / 2) for box in boxes if box}
        assert max(middles) - min(middles) <= 1
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_folder_is_brought_in_before_ones_eyes_and_a_video_taken_out(page: Page) -> None:
    page.goto("/library")
    page.get_by_role("button", name="new", exact=True).click()
    expect(page.get_by_text("2 videos right in it")).to_be_visible()
    page.get_by_role("button", name="Index this folder").click()
    job = page.locator(".job").first
    expect(job.get_by_role("progressbar")).to_be_visible()
    expect(job).to_contain_text("Done: 1 new, 1 failed", timeout=SOON)
    expect(job.get_by_text("broken.mp4")).to_be_visible()
    expect(page.locator("#videos li")).to_have_count(3)
    page.get_by_role("button", name="Remove").filter(visible=True).first.click()
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#videos li")).to_have_count(3)
    row = page.locator("#videos li", has_text="green.mp4")
    row.get_by_role("button").click()
    page.get_by_role("button", name="Take it out").click()
    expect(page.locator("#videos li")).to_have_count(2)


def test_indexing_is_stopped(page: Page) -> None:
    page.goto("/library")
    page.get_by_role("button", name="new", exact=True).click()
    page.get_by_role("button", name="Index this folder").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".job").first).to_contain_text("Stopped", timeout=SOON)


def test_without_a_library_a_folder_is_chosen(
    browser: Browser, place: Path, tmp_path: Path
) -> None:
    settings = Settings(library=tmp_path / "lib", roots=(place / "root",))
    with (
        running(settings) as server,
        watched(browser, str(server.base_url), SOON // 4) as page,
    ):
        page.goto("/")
        expect(page.get_by_role("heading", name="Search inside your videos")).to_be_visible()
        choices = page.get_by_role("list", name="Folders").get_by_role("listitem")
        expect(choices).to_have_text(["\u2190 Back", "new", "old"])
        assert grave_findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_grave_on_any_page(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto("/library")
    expect(page.locator("#videos li")).to_have_count(2)
    assert grave_findings(page) == []
    page.goto("/enter")
    assert grave_findings(page) == []
    page.goto("/")
    page.get_by_text("Filters", exact=True).click()
    found(page, "purple dog").first.locator(".play").click()
    expect(page.get_by_role("slider")).to_be_visible()
    assert grave_findings(page) == []


def test_a_page_weighs_less_than_150_kb_and_fits_a_phone(page: Page) -> None:
    weights: dict[str, int] = {}
    page.on("response", lambda answer: weights.update({answer.url: len(answer.body())}))
    page.set_viewport_size({"width": 390, "height": 844})
    for address in ("/", "/library"):
        page.goto(address, wait_until="networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert sum(size for url, size in weights.items() if "/thumbnail" not in url) < 150_000
