"""Starts real processes by `torchrun`, on this machine and the CPU."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LAUNCH = (sys.executable, "-m", "torch.distributed.run", "--standalone")


def environment(*paths: Path) -> dict[str, str]:
    """One thread each, no GPU, and folders whose modules the processes import."""
    path = [*map(str, paths), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join(path),
    }


def torchrun(
    script: Sequence[str], *, processes: int = 2, paths: Sequence[Path] = (), timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run a script, or `-m` and a module, with its arguments, in several processes to its end."""
    return subprocess.run(
        [*LAUNCH, f"--nproc-per-node={processes}", *script],
        capture_output=True,
        text=True,
        env=environment(*paths),
        timeout=timeout,
    )


def begin(script: Sequence[str], *, processes: int = 2) -> subprocess.Popen[str]:
    """Begin to run it, as a group of processes that Ctrl-C reaches together."""
    return subprocess.Popen(
        [*LAUNCH, f"--nproc-per-node={processes}", *script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    )


def end(begun: subprocess.Popen[str]) -> None:
    """Kill what a failed test leaves."""
    if begun.poll() is None:
        os.killpg(begun.pid, signal.SIGKILL)
        begun.communicate()
