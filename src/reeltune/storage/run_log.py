"""The name and the lines of the log that a run leaves in its folder."""

import json
from collections.abc import Mapping

LOG = "log.jsonl"


def line_of(kind: str, step: int, facts: Mapping[str, float | str]) -> str:
    """A line of the log, with its end; `kind` is "step" or "epoch", and `step` the number of steps
    until then."""
    return json.dumps({"kind": kind, "step": step, **facts}) + "\n"
