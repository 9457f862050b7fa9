"""Commands that run in a terminal, where a person is asked."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping

import pytest

terminal = pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")


def in_terminal(
    *arguments: object,
    typed: bytes = b"",
    prompt: bytes = b"search: ",
    code: int = 0,
    environment: Mapping[str, str] = os.environ,
) -> str:
    """All that a command prints in a terminal, when something is typed as soon as it asks."""
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "reeltune", *map(str, arguments)]
    shown = {**environment, "TERM": "xterm", "COLUMNS": "200"}
    running = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=shown)
    os.close(theirs)
    said, until = b"", time.monotonic() + 120
    while time.monotonic() < until:
        try:
            said += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if typed and prompt in said:
            os.write(ours, typed)
            typed = b""
    assert running.wait(30) == code, said
    os.close(ours)
    return said.decode()
