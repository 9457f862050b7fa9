"""Ctrl-C ends a command soon, whatever it is doing: real processes, real signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
SOON = 5.0  # s; 2 are promised, and a machine that runs tests is busy
GOES_ON = "stopped; run the same command again to go on where it stopped"
READ = 300 << 20  # bytes, far more than all that a command reads before it recognises files


def reeltune(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "reeltune", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stopped(running: "subprocess.Popen[str]") -> tuple[str, str]:
    """What it printed until it ended, which it must do soon."""
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=120)
    assert time.monotonic() - began < SOON
    assert running.returncode == 130, said
    assert "Traceback" not in said[1]
    return said


def wait_for_reading(running: "subprocess.Popen[str]") -> None:
    """Until the process has read so much that it must be in the middle of the long file."""
    until = time.monotonic() + 120
    while True:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < until
        io = Path(f"/proc/{running.pid}/io").read_text()
        if int(io.split()[1]) > READ:
            return
        time.sleep(0.02)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A film of 60 GB, all of it a hole but its first bytes."""
    film = tmp_path / "endless" / "film.mp4"
    film.parent.mkdir()
    film.write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0isomavc1")
    os.truncate(film, 60 << 30)
    return film.parent


@pytest.mark.parametrize("command", ["index", "features"])
def test_ctrl_c_ends_the_reading_of_a_long_file(
    endless: Path, model: str, tmp_path: Path, command: str
) -> None:
    place = "--library" if command == "index" else "--out"
    running = reeltune(command, endless, place, tmp_path / "to", "--model", model)
    wait_for_reading(running)
    _, errors = stopped(running)
    assert errors.splitlines()[-1] == GOES_ON


def test_what_is_no_video_is_not_read_to_its_end(tmp_path: Path, model: str) -> None:
    (tmp_path / "zeros.mp4").touch()
    os.truncate(tmp_path / "zeros.mp4", 60 << 30)
    running = reeltune("index", tmp_path, "-l", tmp_path / "lib", "--model", model)
    said, errors = running.communicate(timeout=60)
    assert running.returncode == 1, errors
    assert "nothing but zeros" in said
