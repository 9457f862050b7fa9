"""Say which figures got worse since an earlier run on the same machine.

    python benchmarks/compare.py
    python benchmarks/compare.py --against 305813c --tolerance 1.1

Each figure that a benchmark names is compared with the newest earlier one of the same question and
arguments, or with that of a commit. One that is worse by more than the tolerance is told, and makes
the command end with 1. Machines differ, and so a line of another one is no measure.
"""

import argparse
import sys
from pathlib import Path

from _kept import Kept, read
from _plan import plans
from run import RESULTS


def before(lines: list[Kept], now: Kept, commit: str | None) -> Kept | None:
    """The newest line of another run that asked the same on the same machine."""
    alike = [
        one
        for one in lines
        if one.asked == now.asked and one.machine == now.machine and one.run < now.run
    ]
    if commit is not None:
        alike = [one for one in alike if one.commit.startswith(commit)]
    return alike[-1] if alike else None


def worse(then: float, now: float, better: str) -> float:
    """How many times as bad a figure has become; below 1 it is better."""
    if better == "higher":
        then, now = now, then
    return now / then if then > 0 else 1.0 if now <= then else float("inf")


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("--against", metavar="COMMIT", help="as the lines name it")
    reader.add_argument("--tolerance", type=float, default=1.2, help="times as bad that are noise")
    reader.add_argument("--results", type=Path, default=RESULTS, help="another file of lines")
    chosen = reader.parse_args()
    lines = read(chosen.results)
    known = {plan.name: plan for plan in plans()}
    newest = {one.asked: one for one in lines if one.benchmark in known}
    compared, bad, alone = 0, [], 0
    for now in newest.values():
        then = before(lines, now, chosen.against)
        if then is None:
            alone += 1
            continue
        for path, value, better, _ in now.figures(known[now.benchmark]):
            if path not in then.numbers:
                continue
            compared += 1
            times = worse(then.numbers[path], value, better)
            if times > chosen.tolerance:
                what = " ".join(("bench_" + now.benchmark + ".py", *now.arguments))
                change = f"{then.numbers[path]:g} at {then.commit}, {value:g} at {now.commit}"
                bad.append(f"{times:.2f} times as bad: {what}, {path}: {change}")
    print(f"{compared} figures compared, {alone} lines without an earlier one on the same machine")
    print("\n".join(bad) if bad else f"none is worse by more than {chosen.tolerance:g} times")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
