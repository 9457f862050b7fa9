"""A cache of its own for these tests, so that a Toybox is made once and frames decoded once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("REELTUNE_CACHE")
    os.environ["REELTUNE_CACHE"] = str(folder)
    yield folder
    os.environ.pop("REELTUNE_CACHE")
    if before is not None:
        os.environ["REELTUNE_CACHE"] = before
