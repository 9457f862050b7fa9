"""Broken and false media files before a real server: a slice of benchmarks/bench_mutated.py."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_mutated.py"


def test_each_of_twenty_broken_files_is_indexed_or_named_and_none_breaks_the_server() -> None:
    command = [sys.executable, str(SCRIPT), "--files", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(done.stdout)
    assert (line["unaccounted"], line["server_errors"], line["leaks"]) == (0, 0, 0)
    assert line["became"]["indexed"] > 3
    assert line["became"]["failed"] > 3
    assert line["answers"]["200"] > line["became"]["indexed"]
