"""How long does the test suite take, and which files are dearest?

It is run as `make test` runs it, with the lines counted that it reaches. Processor time is that of
all processes, so it says more than wall time on a busy machine. What is left of it after the tests
is spent on starting and collecting. `waited` is how long a process had nothing left to do while
another ended the last file.

    python benchmarks/bench_suite.py              # the whole suite
    python benchmarks/bench_suite.py tests/house  # a part of it
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from _line import ROOT, emit

DEAREST = 10
FIGURES = {
    "wall_seconds": ("lower", "seconds of the whole suite"),
    "processor_seconds": ("lower", "seconds of processor, of all processes"),
}


def suite() -> list[str]:
    """The arguments of Python by which the Makefile runs it."""
    (found,) = re.findall(r"^SUITE := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    return found.split()


def run(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Run the suite, which writes into the folder; seconds of wall and of processor."""
    set_here = {
        "COVERAGE_FOLDER": str(folder / "coverage"),
        "SUITE_TIMES": str(folder / "times"),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parent), OWN_PATH])),
    }
    for name in ("coverage", "times"):
        (folder / name).mkdir()
    command = [sys.executable, *suite(), "-p", "_suite_times", *arguments]
    wall, processor = time.perf_counter(), below()
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **set_here}, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit(f"the suite ended with {done.returncode}, so that its time says nothing")
    return time.perf_counter() - wall, below() - processor


OWN_PATH = os.environ.get("PYTHONPATH", "")


def below() -> float:
    """Seconds of processor of all processes below this one that have ended."""
    return sum(os.times()[2:4])


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("tests", nargs="*", help="files or folders; the whole suite if none")
    with TemporaryDirectory() as place:
        wall, processor = run(reader.parse_args().tests, Path(place))
        parts = [json.loads(file.read_text()) for file in Path(place, "times").iterdir()]
    seconds: Counter[str] = sum((Counter(part["seconds"]) for part in parts), Counter())
    ended = [part["ended"] for part in parts]
    emit(
        "time of the test suite",
        wall_seconds=round(wall),
        processor_seconds=round(processor),
        processor_seconds_of_tests=round(seconds.total()),
        tests=sum(sum(part["tests"].values()) for part in parts),
        processes=len(parts),
        waited=round(max(ended) - min(ended), 1),
        dearest={file: round(spent, 1) for file, spent in seconds.most_common(DEAREST)},
    )


if __name__ == "__main__":
    main()
