"""Fixtures of the tests that read files."""

from collections.abc import Iterator

import pytest
from numbered_video import Numbered, write_numbered

from reeltune.data._decode import Decoder
from reeltune.types import Pixels


@pytest.fixture
def numbered() -> Numbered:
    return write_numbered


@pytest.fixture(scope="session")
def plain_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten seconds of h264 in mp4 with the index at the front, as bytes to damage."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    return write_numbered(path, muxer={"movflags": "faststart"}).read_bytes()


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    """One worker for all tests of a file, as a run over a folder has."""
    with Decoder(Pixels(size=96, fit="squash")) as shared:
        yield shared
