"""A small checkout for the scripts that make an environment to work in."""

from pathlib import Path

import pytest
from small_checkout import write_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return write_checkout(tmp_path)


@pytest.fixture(autouse=True)
def no_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCH", raising=False)
    monkeypatch.delenv("PYTHON", raising=False)
