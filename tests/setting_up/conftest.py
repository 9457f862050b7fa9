"""The scripts that make an environment, importable, and a small checkout for them to work in."""

import sys
from pathlib import Path

import pytest
from small_checkout import SCRIPTS, write_checkout

sys.path.insert(0, str(SCRIPTS))  # they import each other by name


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return write_checkout(tmp_path)


@pytest.fixture(autouse=True)
def no_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCH", raising=False)
    monkeypatch.delenv("PYTHON", raising=False)
