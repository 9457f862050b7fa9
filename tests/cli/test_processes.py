"""Commands side by side: how many at once, and how they are stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reeltune.errors import DataError
from reeltune.papers.table import processes
from reeltune.papers.table.processes import Ended, run_all
from waiting import until

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups of POSIX")


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def sleeper(file: Path, deaf: bool = False) -> list[str]:
    """Writes its number and that of a child of its own, and sleeps; a deaf one hears no Ctrl-C."""
    hears = "signal.signal(signal.SIGINT, signal.SIG_IGN)" if deaf else "pass"
    return python(
        "import os, signal, subprocess, sys, time\n"
        f"{hears}\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'],"
        " stdin=subprocess.PIPE)\n"
        f"open({str(file)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}\\n')\n"
        "time.sleep(600)\n"
    )


def seen(file: Path) -> list[int]:
    """The processes that a sleeper wrote, once it did."""
    until(lambda: file.is_file() and file.read_text().endswith("\n"), within=120)
    return [int(number) for number in file.read_text().split()]


def is_alive(process: int) -> bool:
    """A zombie, which only waits to be collected, is not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def all_gone(numbers: list[int]) -> bool:
    until = time.monotonic() + 10
    while any(map(is_alive, numbers)) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(map(is_alive, numbers))


def fails(ended: Ended) -> None:
    raise DataError(f"{ended.number} ended with {ended.code}: {ended.said.strip()}")


def test_every_command_is_run_and_no_more_than_asked_at_once(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys, time\n"
        f"place = pathlib.Path({str(tmp_path)!r})\n"
        "own = place / f'running{os.getpid()}'\n"
        "own.touch()\n"
        "print(len(list(place.glob('running*'))), file=sys.stderr)\n"
        "time.sleep(0.2)\n"
        "own.unlink()\n"
    )
    found: list[Ended] = []
    run_all([python(program)] * 5, 2, found.append, os.environ)
    assert sorted(one.number for one in found) == [0, 1, 2, 3, 4]
    assert {int(one.said) for one in found} <= {1, 2}


@posix
def test_the_first_failure_stops_those_that_run_and_starts_no_other(tmp_path: Path) -> None:
    running, never = tmp_path / "running", tmp_path / "never"
    waits = f"import os, time\nwhile not os.path.exists({str(running)!r}): time.sleep(0.02)\n"
    bad = python(waits + "import sys; sys.exit('no such thing')")
    with pytest.raises(DataError, match="1 ended with 1: no such thing"):
        run_all([sleeper(running), bad, sleeper(never)], 2, fails, os.environ)
    assert all_gone(seen(running))
    assert not never.exists()


@posix
def test_what_does_not_stop_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.3)
    running = tmp_path / "running"
    waits = f"import os, time\nwhile not os.path.exists({str(running)!r}): time.sleep(0.02)\n"
    with pytest.raises(DataError):
        run_all([sleeper(running, deaf=True), python(waits + "exit(4)")], 2, fails, os.environ)
    assert all_gone(seen(running))


@posix
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143)]
)
def test_a_signal_to_the_parent_leaves_no_orphans(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    files = [tmp_path / name for name in ("one", "two")]
    program = (
        "import os\nfrom reeltune.papers.table.processes import run_all\n"
        f"run_all({[sleeper(file) for file in files]!r}, 2, print, os.environ)"
    )
    parent = subprocess.Popen(python(program), stderr=subprocess.DEVNULL)
    children = [number for file in files for number in seen(file)]
    parent.send_signal(number)
    assert parent.wait(120) == code
    assert all_gone(children)


@posix
def test_the_handlers_of_signals_are_put_back(tmp_path: Path) -> None:
    def handlers() -> list[Callable[..., object] | int | None]:
        return [signal.getsignal(number) for number in processes.ENDINGS]

    before = handlers()
    run_all([python("pass")], 1, lambda ended: None, os.environ)
    assert handlers() == before
