"""Writes pages as files: texts, JSON and plots in one folder."""

import json
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure


def write_files(out: Path, facts: Mapping[str, object], plots: Mapping[str, Figure]) -> list[Path]:
    """Write each under its name: a text as it is, other facts as JSON; return where they are."""
    mpl.use("Agg")
    out.mkdir(parents=True, exist_ok=True)
    for name, fact in facts.items():
        text = fact if isinstance(fact, str) else json.dumps(fact, indent=1) + "\n"
        (out / name).write_text(text, encoding="utf-8")
    for name, figure in plots.items():
        figure.savefig(out / name, dpi=120)
    return [out / name for name in (*facts, *plots)]
