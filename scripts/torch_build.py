"""Which build of torch to install: without an NVIDIA GPU, the one without gigabytes of CUDA.

The wheels that PyPI has for Linux bring CUDA along; PyTorch's own index has CPU builds of the same
versions. It is asked first where no GPU is found. Where it does not answer within a few seconds,
the index that pip is configured for is taken, which may hold either build. Other systems have no
CUDA wheels there.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

TORCH = "torch==2.13.0"  # moved by hand, and locks/dev.txt with it by `make upgrade`
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PATIENCE = 4.0  # seconds


def choose_torch(wanted: str, asked: str | None) -> tuple[str, list[str]]:
    """What to say, and what pip is to install: `wanted`, or what the user `asked` for instead."""
    if asked:
        return f"{asked}, as TORCH asks", asked.split()
    if sys.platform != "linux":
        return f"{wanted}, from the configured index", [wanted]
    if has_nvidia_gpu():
        return f"{wanted} for the NVIDIA GPU, from the configured index", [wanted]
    if has_cpu_build(CPU_INDEX, wanted):
        from_there = [wanted, "--index-url", CPU_INDEX]
        return f"{wanted} for CPUs (no NVIDIA GPU is found), from PyTorch's index", from_there
    return (
        f"{wanted}, from the configured index: no NVIDIA GPU is found, and PyTorch's CPU index "
        "does not answer with a build for this machine",
        [wanted],
    )


def has_nvidia_gpu() -> bool:
    """Whether the driver or its own program lists one."""
    if any(Path("/proc/driver/nvidia/gpus").glob("*")):
        return True
    try:  # under WSL there is no such folder
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU" in listed.stdout


def has_cpu_build(index: str, wanted: str, patience: float = PATIENCE) -> bool:
    """Whether `index` lists a wheel of the version `wanted` for this Python and machine.

    Looking up the name of a host has no timeout of its own, so all of it runs in a thread.
    """
    pages: list[str] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(f"{index}/torch/", timeout=patience) as page:
                pages.append(page.read().decode())
        except (OSError, ValueError):
            pass  # no answer, or one that is no page: there is no build

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(patience)
    _, exact, version = wanted.partition("==")
    number = re.escape(version) if exact else "[0-9.]+"
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    name = rf"torch-{number}(?:(?:%2B|\+)cpu)?-{tag}-{tag}-[^<>\"]*{platform.machine()}"
    return any(re.search(name, page) for page in pages)
