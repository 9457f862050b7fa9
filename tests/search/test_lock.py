"""One writer at a time, with real processes."""

import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from reeltune.errors import LibraryError
from reeltune.search.store.lock import sole_writer

HOLD = """
import sys
from pathlib import Path
from reeltune.search.store.lock import sole_writer
with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_owner_is_named_and_a_killed_owner_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(LibraryError, match=rf"being written by process {other.pid} on .*wait"),
            sole_writer(tmp_path),
        ):
            pass
        other.kill()
    with sole_writer(tmp_path):
        assert (tmp_path / "writer.json").exists()
    assert not (tmp_path / "writer.json").exists()
