"""Run the benchmarks and keep their JSON lines in benchmarks/results.jsonl.

    python benchmarks/run.py quick            # those that take minutes at most
    python benchmarks/run.py full             # all, which takes hours
    python benchmarks/run.py full query index

Lines are kept as soon as they are printed, each with the benchmark, its arguments and the beginning
of the whole run. A benchmark that fails is named at the end, and the others are run all the same.
"""

import argparse
import json
import subprocess
import sys
import time
from datetime import UTC, datetime

from _line import ROOT
from _plan import Plan, Size, plans

RESULTS = ROOT / "benchmarks" / "results.jsonl"


def run(plan: Plan, arguments: list[str], about: dict[str, str]) -> str | None:
    """Run a benchmark once and keep its lines; return what went wrong, if something did."""
    command = [sys.executable, str(plan.file), *arguments]
    kept: list[str] = []
    lines = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for row in process.stdout or ():
            kept = [*kept[-4:], row.rstrip()]
            try:
                figures = json.loads(row)
            except ValueError:
                continue
            keep({**about, "benchmark": plan.name, "arguments": arguments, **figures})
            lines += 1
    if process.returncode:
        return f"{plan.name} {' '.join(arguments)} ended with {process.returncode}"
    return None if lines else f"{plan.name} {' '.join(arguments)} printed no figures: {kept}"


def keep(line: dict[str, object]) -> None:
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(line)}\n")


def absent(arguments: list[str]) -> bool:
    """Whether the run is about a folder beside this repository that is not there."""
    last = arguments[-1] if arguments else ""
    return last.startswith("../") and not (ROOT / last).exists()


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("size", choices=["quick", "full"])
    reader.add_argument("names", nargs="*", metavar="NAME", help="of bench_NAME.py; all if none")
    chosen = reader.parse_args()
    size: Size = chosen.size
    about = {"run": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "size": size}
    todo = [(plan, one) for plan in plans(chosen.names) for one in plan.runs(size)]
    failed, left_out = [], []
    for number, (plan, arguments) in enumerate(todo, 1):
        said = f"[{number}/{len(todo)}] {plan.file.name} {' '.join(arguments)}"
        if absent(arguments):
            left_out.append(f"{plan.name}: {arguments[-1]} is not there")
            continue
        print(said, file=sys.stderr, flush=True)
        start = time.monotonic()
        fault = run(plan, arguments, about)
        failed += [fault] if fault else []
        print(f"    {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    for one in left_out:
        print(f"left out: {one}", file=sys.stderr)
    print(f"lines were added to {RESULTS.relative_to(ROOT)}", file=sys.stderr)
    if failed:
        sys.exit("\n".join(["failed:", *failed]))


if __name__ == "__main__":
    main()
