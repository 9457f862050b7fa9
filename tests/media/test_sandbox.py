"""What a worker that a file has taken over can still do: each deed is tried from inside."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reeltune.media.decoder import sandbox

if not sys.platform.startswith("linux"):
    pytest.skip("the measures are those of Linux", allow_module_level=True)
TRY = """
import os, socket, sys
from reeltune.media import _sandbox
_sandbox.enter(1 << 32)
try:
    {deed}
except OSError as error:
    print("refused", error.strerror)
else:
    print("done")
"""
DEEDS = {
    "open('made', 'w')": "no changes on disk",
    "open('there', 'a').write('more')": "no changes on disk",
    "os.remove('there')": "no changes on disk",
    "os.mkdir('folder')": "no changes on disk",
    "os.rename('there', 'gone')": "no changes on disk",
    "os.symlink('there', 'link')": "no changes on disk",
    "os.truncate('there', 0)": "no changes on disk",
    "os.execv('/bin/true', ['true'])": "no changes on disk",
    "socket.create_connection(('127.0.0.1', {port}), 2)": "no network",
    "[os.open('there', os.O_RDONLY) for _ in range(100)]": "few open files",
}


@pytest.fixture
def port() -> Iterator[int]:
    """Where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("deed", DEEDS)
def test_the_deed_is_refused(deed: str, port: int, tmp_path: Path) -> None:
    if not sandbox()[DEEDS[deed]]:
        pytest.skip(f"this system cannot enforce {DEEDS[deed]!r}")
    (tmp_path / "there").write_text("text")
    code = TRY.format(deed=deed.format(port=port))
    run = [sys.executable, "-c", code]
    said = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.startswith("refused")
    assert os.listdir(tmp_path) == ["there"]
    assert (tmp_path / "there").read_text() == "text"
