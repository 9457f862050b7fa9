"""A rule for each file tells all files that break it."""

from pathlib import Path

import pytest
from sources import ROOT, for_each

CHECKED = [ROOT / name for name in ("README.md", "Makefile", "pyproject.toml")]


@for_each(CHECKED)
def rule(path: Path) -> None:
    """A rule that one file keeps."""
    assert path.suffix == ".md", "write Markdown"


def test_every_file_that_breaks_a_rule_is_told_with_what_is_wrong() -> None:
    with pytest.raises(AssertionError) as told:
        rule()
    assert "README.md" not in str(told.value)
    for name in ("Makefile", "pyproject.toml"):
        assert f"{name}: write Markdown" in str(told.value)
    assert rule.__name__ == "rule"
    assert rule.__doc__ == "A rule that one file keeps."
