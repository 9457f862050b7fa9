"""Ctrl-C ends a command soon, whatever it is doing: real processes, real signals."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from reeltune.cli.app import Group
from reeltune.cli.stopping import hear_all, was_stopped

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
    took = time.monotonic() - began
    assert took < SOON, f"{took:.1f} s: {running.args}, {said}"
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
    """A film of 4 TB, all of it a hole but its first bytes."""
    film = tmp_path / "endless" / "film.mp4"
    film.parent.mkdir()
    film.write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0isomavc1")
    os.truncate(film, 4 << 40)
    return film.parent


@pytest.mark.parametrize("command", ["index", "features"])
def test_ctrl_c_ends_the_reading_of_a_long_file(
    endless: Path, exported_model: str, tmp_path: Path, command: str
) -> None:
    place = "--library" if command == "index" else "--out"
    running = reeltune(command, endless, place, tmp_path / "to", "--model", exported_model)
    wait_for_reading(running)
    _, errors = stopped(running)
    assert errors.splitlines()[-1] == GOES_ON


def test_what_is_no_video_is_not_read_to_its_end(tmp_path: Path, exported_model: str) -> None:
    (tmp_path / "zeros.mp4").touch()
    os.truncate(tmp_path / "zeros.mp4", 60 << 30)
    running = reeltune("index", tmp_path, "-l", tmp_path / "lib", "--model", exported_model)
    said, errors = running.communicate(timeout=60)
    assert running.returncode == 1, errors
    assert "nothing but zeros" in said


@pytest.mark.parametrize("module", ["typer", "reeltune.cli.commands.search"])
def test_ctrl_c_while_the_command_line_is_imported_is_one_line(module: str) -> None:
    program = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder)\n"
        "from reeltune.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"stopped\n")


def test_ctrl_c_that_python_swallows_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    swallowed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", swallowed.append)
    monkeypatch.setattr("reeltune.training.interrupts.Raising.came", -math.inf)  # again after
    hear_all()

    class Deaf:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    class Broken:
        def __del__(self) -> None:
            raise ValueError

    def wait() -> None:
        Deaf()
        time.sleep(SOON)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wait()
    assert time.monotonic() - began < SOON
    Broken()
    assert len(swallowed) == 1, "others are told as before"


def test_ctrl_c_that_became_another_error_is_one_line() -> None:
    app = typer.Typer(cls=Group)

    @app.command()
    def one() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise RuntimeError("making a class") from error

    @app.command()
    def two() -> None:
        raise RuntimeError("of our own")

    done = CliRunner().invoke(app, ["one"])
    assert (done.exit_code, done.stderr) == (130, "stopped\n")
    assert isinstance(CliRunner().invoke(app, ["two"]).exception, RuntimeError)
    assert not was_stopped(ValueError())


@pytest.mark.parametrize("error", ["ModuleNotFoundError", "TypeError", "SystemError"])
def test_ctrl_c_that_an_import_lost_is_one_line(error: str) -> None:
    program = (
        "import os, signal, typer\nfrom reeltune.cli.app import Group\n"
        "from reeltune.cli.stopping import hear_all\nhear_all()\n"
        "app = typer.Typer(cls=Group)\n@app.callback()\ndef all(): pass\n"
        "@app.command()\ndef one():\n"
        "    try: os.kill(os.getpid(), signal.SIGINT); [None for _ in range(999)]\n"
        "    except KeyboardInterrupt: pass\n"
        f"    raise {error}('of a module that is imported late')\n"
        "app()"
    )
    done = subprocess.run([sys.executable, "-c", program, "one"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"stopped\n")


def test_ctrl_c_within_exec_has_the_exit_code_too() -> None:
    program = (
        "import typer\nfrom reeltune.cli.app import Group\n"
        "app = typer.Typer(cls=Group)\n@app.callback()\ndef all(): pass\n"
        "@app.command()\ndef one(): exec('raise KeyboardInterrupt')\napp()"
    )
    done = subprocess.run([sys.executable, "-c", program, "one"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"stopped\n")


def children_of(process: int) -> list[str]:
    found = Path(f"/proc/{process}/task").glob("*/children")  # of each of its threads
    return [child for one in found for child in one.read_text().split()]


@pytest.fixture
def many(plain_clip: bytes, tmp_path: Path) -> Path:
    """A thousand clips, which take far longer to decode than a test to see that it began."""
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(1000):
        own = b"\0\0\0\x0cfree" + n.to_bytes(4, "big")  # nothing, but of another content
        (folder / f"{n}.mp4").write_bytes(plain_clip + own)
    rows = "".join(f"{n}.mp4,clip number {n},test\n" for n in range(1000))
    (folder / "captions.csv").write_text(f"path,caption,split\n{rows}")
    return folder


def test_ctrl_c_in_the_middle_ends_what_has_children(
    toybox: Path, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that decodes, and one that has others train, longer than any test."""
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    endless = ("--set", "training.epochs=100000", "--set", "training.batch=8", "--no-sweep")
    place = ("--size", "tiny", "--data", toybox, "--out", tmp_path / "t")
    for words, last in (
        (("evaluate", "tiny-clip", "--benchmark", "folder", "--data", many), "stopped"),
        (("table", "vop", *place, *endless), GOES_ON),
    ):
        running = reeltune(*words)
        while not children_of(running.pid):
            assert running.poll() is None, running.communicate()
            time.sleep(0.02)
        assert stopped(running)[1].splitlines()[-1] == last


LOCKS = """
import os, signal, threading, time
from functools import partial
from reeltune.cli.stopping import hear_all

hear_all()
mark, ready, done = threading.Semaphore(1), threading.Event(), []

def ask():
    ready.wait()
    for _ in range(200):
        time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGINT)
    done.append(True)

def work():
    global mark
    ready.set()
    while not done:
        try:
            while not done:
                mark.acquire(timeout=0)
                mark.release()
                for _ in range(30):  # and most of the time no lock is in the way
                    pass
        except KeyboardInterrupt:
            heard.append(True)
        if mark._cond._lock.locked():
            left.append(mark)
            mark = threading.Semaphore(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

def again(work):
    while True:
        try:
            return work()
        except KeyboardInterrupt:  # one that comes while another is heard
            pass

for _ in range(5):
    work = partial(again, work)
heard, left = [], []
threading.Thread(target=ask, daemon=True).start()
work()
print(len(heard) > 0, len(left))
"""


def test_ctrl_c_leaves_no_lock_taken() -> None:
    """Python's own handler leaves one in five taken here, and a pool that then ends never does."""
    done = subprocess.run(
        [sys.executable, "-c", LOCKS], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("True 0\n", "")


def test_ctrl_c_is_heard_while_a_lock_is_waited_for() -> None:
    program = (
        "import threading\n"
        "from reeltune.cli.stopping import hear_all\n"
        "hear_all()\n"
        "print('waiting', flush=True)\n"
        "event = threading.Event()\n"
        "event.wait()\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "waiting\n"
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert errors.endswith("KeyboardInterrupt\n")
