"""How long does `reeltune --help` take, and Python itself beside it? Medians of nine runs."""

import subprocess
import sys
import time
from statistics import median

from _line import emit

QUICK: list[str] = []
FIGURES = {
    "help_seconds": ("lower", "seconds of `reeltune --help`"),
}


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], capture_output=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    took: dict[str, list[float]] = {"help": [], "python": []}
    for _ in range(9):
        took["help"].append(seconds("-m", "reeltune", "--help"))
        took["python"].append(seconds("-c", "pass"))
    emit(
        "start of the command line",
        help_seconds=round(median(took["help"]), 3),
        python_seconds=round(median(took["python"]), 3),
    )


if __name__ == "__main__":
    main()
