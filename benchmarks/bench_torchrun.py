"""How many clips a second do two processes of torchrun train, beside one process?

    python benchmarks/bench_torchrun.py --recipes toybox/univl-meltr toybox/vop

Each recipe is trained by one process with one thread, by one with a thread for each core, and by
two with one thread each, which share the batch, one after the other, so many rounds. Rates are
those of the log, medians over the steps of all rounds but the first steps of each run. On two
cores two processes can at most be twice as fast as one of one thread.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from _line import emit
from reeltune.training.log import read_log

RUNS = [["--recipes", "toybox/univl-meltr", "toybox/vop"]]
FIGURES = {
    "two_over_one": ("higher", "beside one process of one thread, clips a second of two"),
    "two_over_threads": ("higher", "beside one process of two threads, clips a second of two"),
}

SKIPPED = 5  # steps, in which caches fill
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
WAYS = {"one": ([], 1), "threads": ([], os.cpu_count() or 1), "two": (TORCHRUN, 1)}


def rates(recipe: str, way: str, epochs: int, batch: int, out: Path) -> list[float]:
    """Clips a second of each step of a run."""
    start, threads = WAYS[way]
    asked = [f"training.epochs={epochs}", f"training.batch={batch}"]
    settings = [word for one in asked for word in ("--set", one)]
    command = [sys.executable, *start, "-m", "reeltune", "train", recipe, "--out", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    subprocess.run([*command, *settings], env=environment, check=True, stdout=subprocess.PIPE)
    steps = [line for line in read_log(out) if line["kind"] == "step"]
    return [line["clips/s"] for line in steps[SKIPPED:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=["toybox/vop"])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    for recipe in chosen.recipes:
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        with tempfile.TemporaryDirectory() as folder:
            for number in range(chosen.rounds):
                for way, each in found.items():
                    out = Path(folder) / f"{way}{number}"
                    each += rates(recipe, way, chosen.epochs, chosen.batch, out)
        a_second = {way: median(each) for way, each in found.items()}
        emit(
            f"training {recipe} under torchrun",
            batch=chosen.batch,
            steps=len(found["two"]),
            clips_per_second={way: round(one, 2) for way, one in a_second.items()},
            two_over_one=round(a_second["two"] / a_second["one"], 2),
            two_over_threads=round(a_second["two"] / a_second["threads"], 2),
        )


if __name__ == "__main__":
    main()
