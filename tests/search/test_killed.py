"""A few kills of the matrix in `benchmarks/bench_killed.py`, which says what is checked."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "bench_killed.py"


def test_a_library_survives_sigkill_at_random_moments() -> None:
    command = [sys.executable, str(BENCHMARK), "--kills", "1", "--files", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    runs, cares = map(json.loads, done.stdout.splitlines())
    assert runs["kills"] == 1
    assert runs["libraries_completed_and_equal"] >= 1
    commands = ("remove", "undo", "relocate", "prune", "repair")
    assert cares["kills"] == dict.fromkeys(commands, 1)
