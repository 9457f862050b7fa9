"""The package, its changelog and its metadata name one version."""

import re
import tomllib
from pathlib import Path

from reeltune import __version__

ROOT = Path(__file__).parents[2]


def test_the_newest_version_of_the_changelog_is_that_of_the_package() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.*)$", text, re.M)
    assert titles[0] == "Unreleased"
    assert re.fullmatch(re.escape(__version__) + r" - \d{4}-\d\d-\d\d", titles[1])


def test_the_metadata_take_the_version_from_the_package() -> None:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in found["project"]["dynamic"]
    assert found["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "reeltune._version.__version__"
    }
