"""The chromium of the system, which opens pages of a real server."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
GRAVE = ("serious", "critical")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window; the test is skipped where the system has none."""
    place = shutil.which("chromium")
    if place is None:
        pytest.skip("the page is tested in chromium, and no chromium is on PATH")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=place, args=[*ARGUMENTS])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched(browser: Browser, url: str, soon: int) -> Iterator[Page]:
    """A page that nothing has visited, and that no script complains on; `soon` is what it may take,
    in ms."""
    context = browser.new_context(base_url=url, accept_downloads=True)
    context.set_default_timeout(soon)
    expect.set_options(timeout=soon)
    opened, complaints = context.new_page(), list[str]()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(dialog.message))
    yield opened
    context.close()
    assert complaints == []


@contextmanager
def watched_page(url: str, soon: int) -> Iterator[Page]:
    """Such a page in a browser of its own."""
    with chromium() as browser, watched(browser, url, soon) as opened:
        yield opened


def grave_findings(page: Page) -> list[str]:
    """What axe-core finds of a page that keeps people out, by rule and place."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]
