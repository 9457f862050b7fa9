"""Requests of every address, with tokens and without: a slice of benchmarks/bench_fuzzed.py."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_fuzzed.py"


def test_what_is_answered_is_described_and_no_more_than_a_token_may_have() -> None:
    command = [sys.executable, str(SCRIPT), "--requests", "80"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(done.stdout)
    assert (line["requests"], line["addresses"]) == (80, 39)
    wrong = ("server_errors", "not_described", "too_much", "leaks")
    assert {name: line[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert {"200", "401", "403", "404", "422"} <= set(line["answers"])
