"""One server for the tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reeltune.serve.settings import Settings
from serve.running import running


@pytest.fixture(scope="module")
def server(library: Path) -> Iterator[httpx.Client]:
    """A client of a server on loopback, whose library has three clips."""
    with running(Settings(library=library)) as client:
        yield client
