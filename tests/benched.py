"""Runs a slice of a benchmark which also says whether all is as it should be."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "benchmarks"


def benched(name: str, *arguments: str) -> list[dict[str, Any]]:
    """What the lines of a benchmark say, which must end well."""
    command = [sys.executable, str(FOLDER / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
