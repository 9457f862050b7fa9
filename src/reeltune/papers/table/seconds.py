"""Tells from the logs how long runs trained."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reeltune.training.settings import Settings

Log = Sequence[Mapping[str, Any]]


def clips_of(training: Settings) -> int:
    """The number of clips of a step."""
    return training.batch * training.accumulate


def steps_seconds(log: Log, clips: int) -> float:
    """Seconds of all training steps of a run, each of `clips` clips."""
    return float(sum(clips / line["clips/s"] for line in log if line["kind"] == "step"))


def epoch_seconds(log: Log, clips: int) -> float:
    """Mean seconds of an epoch's training steps."""
    epochs = sum(line["kind"] == "epoch" for line in log)
    return steps_seconds(log, clips) / max(epochs, 1)


def meta_seconds(logs: Sequence[Log]) -> float | None:
    """Median seconds of a meta step of MELTR over all runs; None if there is none."""
    spent = [line.get("meta seconds", 0.0) for log in logs for line in log]
    taken = [one for one in spent if one > 0]
    return float(np.median(taken)) if taken else None
