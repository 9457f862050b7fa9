"""The chromium of the system, which opens pages of a real server."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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
