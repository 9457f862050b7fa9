"""Measures what each scheme of MELTR costs, in turns on one model and the same batches.

Runs of a table share the machine, so their logs do not say it well. Here every scheme does one
cycle of K training steps with one meta step in it, then the next scheme; a figure is the median
over the rounds of its ratio to the plain sum's cycle in the same round.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from statistics import median
from typing import Any

import torch

from reeltune.data.splits.part import read_if_any
from reeltune.errors import ConfigError
from reeltune.meltr.melting import Melting
from reeltune.recipes.recipe import Recipe
from reeltune.runs.bilevel import melting_step
from reeltune.runs.place import RunPlace
from reeltune.runs.setup import open_setup
from reeltune.training.optim import optimizer_of, trainable
from reeltune.training.settings import Settings
from reeltune.types import Batch

ROUNDS = 11
BATCHES = 16  # that the cycles go through


@dataclass(frozen=True)
class Cost:
    """The cost of one scheme, relative to training on the plain sum."""

    meta_step: float  # in training steps
    every: int  # K, training steps for one meta step

    def overhead(self, every: int | None = None) -> float:
        """The overhead of an epoch, in percent, with one meta step in `every` steps; by default
        K."""
        return 100 * self.meta_step / (every or self.every)


def stored_costs(
    recipe: Recipe, schemes: Sequence[str], place: RunPlace, rounds: int = ROUNDS
) -> dict[str, Cost]:
    """The costs in `costs.json` in the folder of `place` if they belong to this recipe; else
    measured ones."""
    path, asked = place.out / "costs.json", [recipe.model_dump(mode="json"), [*schemes], rounds]
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["asked"] == asked:
            return {name: Cost(**cost) for name, cost in stored["costs"].items()}
    found = costs(recipe, schemes, place, rounds)
    content = {"asked": asked, "costs": {name: asdict(cost) for name, cost in found.items()}}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return found


def costs(
    recipe: Recipe, schemes: Sequence[str], place: RunPlace, rounds: int = ROUNDS
) -> dict[str, Cost]:
    """Measure `schemes` with what the recipe says of model, data, MELTR and K.

    On a CPU this uses one thread, because waiting threads would be counted as work.
    """
    if recipe.meltr is None:
        raise ConfigError(f"recipe {recipe.name} has no meltr; take one that has, of univl-meltr")
    every = recipe.meltr.step.every
    with ExitStack() as stack:
        cycles = _cycles(recipe, recipe.meltr, schemes, place, stack)
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
        ratios: dict[str, list[float]] = {name: [] for name in schemes}
        for turn in range(rounds + 1):
            seconds = {name: one() for name, one in cycles.items()}
            if turn > 0:  # the first one warms up, and has no meta step in it
                for name in schemes:
                    ratios[name].append(seconds[name] / seconds["multi-task"])
    return {name: Cost(every * (median(some) - 1), every) for name, some in ratios.items()}


def _cycles(
    recipe: Recipe, melting: Melting, schemes: Sequence[str], place: RunPlace, stack: ExitStack
) -> dict[str, Callable[[], float]]:
    """For the sum and for each scheme, a function that takes K training steps and returns their
    seconds."""
    options = recipe.dataset_config(folder=place.data)
    learned, val = options.read("train"), read_if_any(options, "val")
    setup = stack.enter_context(open_setup(recipe, options, options.read("test"), place))
    inputs = setup.inputs
    settings = recipe.training
    loader = inputs.loader_of(learned, settings)
    held = inputs.loader_of(val, settings) if val is not None else None
    batches = list(islice(loader.epoch(0), BATCHES))
    found: dict[str, Callable[[], float]] = {}
    for name in ("multi-task", *schemes):
        own = melting.model_copy(update={"scheme": name, "options": {}})
        model = deepcopy(inputs.model).train()
        step = melting_step(model, own, loader, held, settings)
        train = partial(_cycle, model, step, optimizer_of(model, settings), settings)
        found[name] = partial(train, cycle(batches), melting.step.every)
    return found


def _cycle(
    model: Any,
    step: Callable[[Batch], object],
    optimizer: torch.optim.Optimizer,
    settings: Settings,
    batches: Iterator[Batch],
    every: int,
) -> float:
    weights = list(trainable(model).values())
    on_gpu = weights[0].is_cuda  # on a CPU, the processor's time: other work on it does not count
    clock = time.perf_counter if on_gpu else time.process_time
    start = clock()
    for batch in islice(batches, every):
        step(batch)
        torch.nn.utils.clip_grad_norm_(weights, settings.clip_norm or float("inf"))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    if on_gpu:
        torch.cuda.synchronize()
    return clock() - start
