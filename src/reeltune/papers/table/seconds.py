"""How long runs trained, from their logs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reeltune.training.settings import Settings

Log = Sequence[Mapping[str, Any]]


def clips_of(training: Settings) -> int:
    """Clips of a step."""
    return training.batch * training.accumulate


def steps_seconds(log: Log, clips: int) -> float:
    """All training steps of a run, each of `clips` clips."""
    return float(sum(clips / line["clips/s"] for line in log if line["kind"] == "step"))


def epoch_seconds(log: Log, clips: int) -> float:
    """The training steps of an epoch, a mean."""
    epochs = sum(line["kind"] == "epoch" for line in log)
    return steps_seconds(log, clips) / max(epochs, 1)


def meta_seconds(logs: Sequence[Log]) -> float | None:
    """A meta step of MELTR, the median over all runs; None where there is none."""
    spent = [line.get("meta seconds", 0.0) for log in logs for line in log]
    taken = [one for one in spent if one > 0]
    return float(np.median(taken)) if taken else None
