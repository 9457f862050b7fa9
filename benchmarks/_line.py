"""One JSON line per question, with the machine and the commit that gave the figures."""

import json
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def emit(question: str, **figures: object) -> None:
    """Print one line: the question, its figures, the machine and the commit."""
    line = {"question": question, **figures, "machine": machine(), "commit": commit()}
    print(json.dumps(line), flush=True)


def machine() -> dict[str, object]:
    """Cores, processor and versions: what a reader needs to judge an absolute figure."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [row for row in info.read_text().splitlines() if row.startswith("model name")]
        cpu = models[0].split(":", 1)[1].strip() if models else cpu
    return {"cores": os.cpu_count(), "cpu": cpu, "python": platform.python_version()}


def commit() -> str:
    """Short hash of the checked-out commit, with `+` where the tree has changes."""
    run = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
    found = subprocess.run(run, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
