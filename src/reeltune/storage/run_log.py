"""The names of the files that a run leaves in its folder, and the lines of its log."""

import json
from collections.abc import Mapping

LOG = "log.jsonl"
RECIPE = "recipe.yaml"
METRICS = "metrics.json"
BEFORE = "before.json"  # of a tuning: the report of the model that was tuned
VERDICT = "verdict.json"  # of a tuning: what it was worth, in words and figures


def line_of(kind: str, step: int, facts: Mapping[str, float | str]) -> str:
    """A line of the log, with its end; `kind` is "step" or "epoch", and `step` the number of steps
    until then."""
    return json.dumps({"kind": kind, "step": step, **facts}) + "\n"
