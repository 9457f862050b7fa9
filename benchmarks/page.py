"""Write docs/measured/benchmarks.md and its plot from the newest lines of results.jsonl.

python benchmarks/page.py
"""

import argparse
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from _kept import Kept, read
from _line import ROOT
from _plan import Plan, plans
from run import RESULTS

PAGE = ROOT / "docs" / "measured" / "benchmarks.md"
HEAD = """# Benchmarks

`make bench` runs the short benchmarks and `make bench-full` all of them; both add their lines to
`benchmarks/results.jsonl` and write this page from the newest ones. `make bench-compare` says which
figures got worse since the run before on the same machine. A figure "beside" something else is a
ratio within one run, which says more than seconds do, because machines differ and are shared.

![The ratios of this page, beside their peers](benchmarks.png)"""


def newest(lines: list[Kept]) -> dict[str, list[Kept]]:
    """By benchmark, the newest line of each question and arguments."""
    found: dict[str, dict[tuple[str, ...], Kept]] = defaultdict(dict)
    for one in lines:
        found[one.benchmark][one.asked] = one
    return {name: list(asked.values()) for name, asked in sorted(found.items())}


def table(plan: Plan, lines: list[Kept]) -> str:
    """A section: the question, and the figures that the benchmark names, run by run."""
    where = sorted({f"{one.commit}, {one.run[:10]}, {one.machine}" for one in lines})
    found = [f"## {plan.question}", f"`{plan.file.name}`: {'; '.join(where)}"]
    for one in lines:
        rows = [
            f"| `{path}` | {meaning} | {value:,g} | {better} |"
            for path, value, better, meaning in one.figures(plan)
        ]
        head = ["| figure | what it is | value | better |", "|---|---|--:|---|"]
        found += [f"{one.label}:", "\n".join([*head, *rows])] if rows else []
    return "\n\n".join(found)


def ratios(plan: Plan, lines: list[Kept]) -> list[tuple[str, float, str]]:
    """What is plotted: a label, the ratio, and which is better."""
    found = [
        (one, path, value, better)
        for one in lines
        for path, value, better, meaning in one.figures(plan)
        if meaning.startswith("beside") and value > 0
    ]
    runs = {one.asked: one for one, *_ in found}.values()
    by_arguments = len({one.arguments for one in runs}) == len(runs)

    def name(one: Kept) -> str:
        if len(runs) == 1:
            return plan.name
        return f"{plan.name} {' '.join(one.arguments)}" if by_arguments else one.question

    return [(f"{name(one)}: {path}", value, better) for one, path, value, better in found]


def plot(bars: list[tuple[str, float, str]], file: Path) -> None:
    """Each ratio as a bar from 1, to the side of the better in one colour and of the worse in
    another."""
    mpl.use("Agg")
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.22 * len(bars)), layout="constrained")
    good = [(value <= 1) == (better == "lower") for _, value, better in bars]
    axes.barh(
        range(len(bars)),
        [value - 1 for _, value, _ in bars],
        left=1,
        color=["#2b7a78" if one else "#c8553d" for one in good],
    )
    axes.set_yticks(range(len(bars)), [label for label, _, _ in bars], fontsize=7)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("beside the peer in the same run: better in green, worse in red")
    axes.set_ylim(len(bars), -1)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("--results", type=Path, default=RESULTS, help="another file of lines")
    reader.add_argument("--page", type=Path, default=PAGE, help="another file to write")
    chosen = reader.parse_args()
    known = {plan.name: plan for plan in plans()}
    shown = {
        name: lines
        for name, lines in newest(read(chosen.results)).items()
        if name in known and any(True for one in lines for _ in one.figures(known[name]))
    }
    sections = [table(known[name], lines) for name, lines in shown.items()]
    silent = [f"`bench_{name}.py`" for name in sorted(set(known) - set(shown))]
    missing = [f"No figures are kept of {', '.join(silent)}."] if silent else []
    chosen.page.write_text("\n\n".join([HEAD, *sections, *missing]) + "\n", "utf-8")
    bars = [bar for name, lines in shown.items() for bar in ratios(known[name], lines)]
    plot(bars, chosen.page.with_suffix(".png"))
    print(f"written: {chosen.page} and its plot")


if __name__ == "__main__":
    main()
