"""scripts/browser.py installs the browser where it can, and otherwise says why tests skip."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import browser

SCRIPT = Path(browser.__file__)


def started(path: Path) -> str:
    """What the script prints where only the programs in `path` can be found."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def program(folder: Path, name: str, lines: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{lines}\n")
    (folder / name).chmod(0o755)


def test_a_browser_that_is_there_is_left_alone(tmp_path: Path) -> None:
    program(tmp_path, "chromium", "exit 1")
    program(tmp_path, "apt-get", 'echo "$@"; exit 1')
    assert started(tmp_path) == ""


@pytest.mark.skipif(os.geteuid() != 0 or not browser.is_debian(), reason="needs root on Debian")
def test_package_lists_are_fetched_where_the_browser_is_not_in_them(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    once = f'[ -e "{asked}" ] && code=0 || code=1; echo "$@" >> "{asked}"; exit $code'
    program(tmp_path, "apt-get", once)
    assert "chromium, from Debian" in started(tmp_path)
    first, update, again = asked.read_text().splitlines()
    assert first == again
    assert first.endswith("install --yes --no-install-recommends chromium")
    assert update.endswith("update")


@pytest.mark.skipif(os.geteuid() != 0 or not browser.is_debian(), reason="needs root on Debian")
def test_where_it_cannot_be_installed_the_set_up_goes_on_and_says_so(tmp_path: Path) -> None:
    assert "apt-get cannot be run: [Errno 2]" in started(tmp_path)
    program(tmp_path, "apt-get", "echo no such mirror >&2; exit 100")
    said = started(tmp_path)
    assert "no such mirror" in said
    assert "tests of the page skip themselves: apt-get could not install it" in said
