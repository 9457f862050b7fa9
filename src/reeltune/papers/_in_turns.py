"""Measures what ways to train one model cost, in turns on the same batches.

Runs of a table share the machine, so their logs do not say it well. Here every way does one cycle
of K training steps, then the next way; a ratio is that to the first way's cycle in the same round.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from reeltune.data.splits.part import read_if_any
from reeltune.recipes.recipe import Recipe
from reeltune.runs.inputs import Inputs
from reeltune.runs.learning import learning_step
from reeltune.runs.place import RunPlace
from reeltune.runs.setup import open_setup
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.settings_file import read_json
from reeltune.training.optim import optimizer_of, trainable
from reeltune.training.step import Following
from reeltune.types import Batch

ROUNDS = 11
BATCHES = 16  # that the cycles go through


@dataclass(frozen=True)
class Taken:
    """What a training step takes."""

    seconds: float
    ratio: float  # of the seconds to those of the first way


@contextmanager
def opened(ways: Mapping[str, Recipe], place: RunPlace, every: int) -> Iterator[dict[str, "Cycle"]]:
    """A cycle of each of the `ways`, which differ in how they train or in what the model is.

    On a CPU they use one thread, because waiting threads would be counted as work.
    """
    with ExitStack() as stack:
        inputs: dict[str, Inputs] = {}
        cycles = {}
        for name, recipe in ways.items():
            options, model = recipe.dataset_config(folder=place.data), str(recipe.config)
            if model not in inputs:
                setup = open_setup(recipe, options, options.read("test"), place)
                inputs[model] = stack.enter_context(setup).inputs
            cycles[name] = Cycle(inputs[model], options, recipe, every)
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
        yield cycles


def in_turns(cycles: Mapping[str, "Cycle"], rounds: int = ROUNDS) -> dict[str, Taken]:
    """What each takes; a ratio is the median over the rounds."""
    turns: dict[str, list[float]] = {name: [] for name in cycles}
    for turn in range(rounds + 1):
        for name, one in cycles.items():
            seconds = one.seconds()
            if turn > 0:  # the first one warms up, and has no meta step in it
                turns[name].append(seconds / one.every)
    first = next(iter(turns.values()))
    return {
        name: Taken(median(some), median(a / b for a, b in zip(some, first, strict=True)))
        for name, some in turns.items()
    }


def kept(path: Path, asked: object, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was measured, from its file if that answers what is `asked`; else measured and kept."""
    if path.is_file():
        stored = read_json(path)
        if stored["asked"] == asked:
            return dict(stored["costs"])
    found = measure()
    content = {"asked": asked, "costs": found}
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
    return found


class Cycle:
    """K training steps of a model of its own."""

    def __init__(self, inputs: Inputs, options: Any, recipe: Recipe, every: int) -> None:
        settings = recipe.training
        loader, val = inputs.loader_of(options.read("train"), settings), read_if_any(options, "val")
        held = inputs.loader_of(val, settings) if val is not None else None
        model: Any = deepcopy(inputs.model).train()
        self.every, self.settings = every, settings
        self.step = learning_step(model, loader, held, settings, recipe.meltr)
        self.weights = list(trainable(model).values())
        self.optimizer = optimizer_of(model, settings)
        self.batches: Iterator[Batch] = cycle(list(islice(loader.epoch(0), BATCHES)))

    def __call__(self) -> None:
        for batch in islice(self.batches, self.every):
            self.step(batch)
            limit = self.settings.clip_norm or float("inf")
            torch.nn.utils.clip_grad_norm_(self.weights, limit)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            if isinstance(self.step, Following):
                self.step.updated()

    def seconds(self) -> float:
        """Those of one cycle: on a CPU the processor's, so that other work on it does not count."""
        on_gpu = self.weights[0].is_cuda
        clock = time.perf_counter if on_gpu else time.process_time
        start = clock()
        self()
        if on_gpu:
            torch.cuda.synchronize()
        return clock() - start

    def memory(self) -> int:
        """The most bytes that one cycle holds beyond those that were held before."""
        if self.weights[0].is_cuda:
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            self()
            return torch.cuda.max_memory_allocated() - before
        # Or the profiler writes of itself to the terminal.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
            self()
        return _most_held(seen)


def _most_held(seen: profile) -> int:
    """The highest sum of bytes taken and given back, in the order in which they were."""
    events: Any = seen.profiler.kineto_results.events()  # type: ignore[union-attr]
    moved = sorted((one.start_ns(), one.nbytes()) for one in events if one.name() == "[memory]")
    held = most = 0
    for _, size in moved:
        held += size
        most = max(most, held)
    return most
