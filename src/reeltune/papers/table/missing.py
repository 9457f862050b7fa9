"""Runs what a table needs: all runs are checked before the first starts, and each is a process.

A run that was stopped goes on at the next call, and one that is finished is not run again.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from reeltune.data.splits.part import read_if_any
from reeltune.errors import ConfigError, DataError, ReeltuneError
from reeltune.models.opening.open import open_model
from reeltune.papers.table.plan import Job, Plan, require_passed_on
from reeltune.papers.table.processes import Ended, run_all
from reeltune.recipes.recipe import Recipe
from reeltune.recipes.stored import as_stored
from reeltune.runs.finished import METRICS, is_run_of
from reeltune.runs.ready import Learned
from reeltune.runs.setup import require_ready
from reeltune.storage.outputs import require_folder


def train_missing(plan: Plan, jobs: Sequence[Job], said: Callable[[str], None]) -> None:
    """Run what has no report yet, with as many runs at once as the plan says, each on a share of
    the cores.

    Errors: `ConfigError` before the first run for one that cannot be run; `DataError` for the
    first that fails, with what it said, after the others have been stopped.
    """
    require_passed_on(plan, jobs, said)
    missing = missing_of(plan, jobs)
    if not missing:
        return
    at_once = min(plan.jobs or os.cpu_count() or 1, len(missing))
    threads = max((os.cpu_count() or 1) // at_once, 1)
    done = 0

    def ended(one: Ended) -> None:
        nonlocal done
        job = missing[one.number]
        if not (job.folder / METRICS).is_file():
            last = (one.said.strip() or f"exit code {one.code}").splitlines()[-1]
            raise DataError(
                f"{_named(plan, job)}{_seed(job)} failed ({last.removeprefix('error: ')}); "
                "the other runs were stopped, and the same command goes on where they are"
            )
        done += 1
        said(f"{done} of {len(missing)}: {job.folder.relative_to(plan.out)}")

    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    run_all([_command(plan, job) for job in missing], at_once, ended, environment)


def missing_of(plan: Plan, jobs: Sequence[Job]) -> list[Job]:
    """The runs that have no report yet, all of which can be run as far as can be told.

    Errors: `ConfigError` names the run that cannot, or the folder of a run of other settings.
    """
    require_folder(plan.out)
    checked = _Checked(plan)
    missing = []
    for job in jobs:
        try:
            if not checked.is_finished(job):
                missing.append(job)
        except ReeltuneError as error:
            raise ConfigError(f"no run was started: {_named(plan, job)}: {error}") from error
    return missing


class _Checked:
    """What the runs share, read once: data, models below them, and recipes that are alike."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._data: dict[str, tuple[Any, Learned]] = {}
        self._opened: set[str] = set()
        self._ready: set[str] = set()

    def is_finished(self, job: Job) -> bool:
        """Whether there is a report of the run; raises unless it can be made, where there is none.

        Runs of one method in all their seeds are checked once.
        """
        recipe = job.recipe(self.plan)
        if (job.folder / METRICS).is_file():
            if not is_run_of(as_stored(recipe), job.folder):
                raise ConfigError(
                    f"{job.folder} holds a run of other settings; give another folder with --out, "
                    "or remove that one"
                )
            return True
        alike = json.dumps([job.method, job.changes], default=str)
        if alike not in self._ready:
            options, splits = self._read(recipe)
            require_ready(recipe, options, splits if recipe.tunes else None)
            self._open(recipe)
            self._ready.add(alike)
        return False

    def _read(self, recipe: Recipe) -> tuple[Any, Learned]:
        options = recipe.dataset_config(folder=self.plan.data)
        name = f"{recipe.dataset} {options!r}"
        if name not in self._data:
            options.read("test")
            self._data[name] = options, (options.read("train"), read_if_any(options, "val"))
        return self._data[name]

    def _open(self, recipe: Recipe) -> None:
        for name in (recipe.config.get("base"), recipe.config.get("encoder")):
            if name is not None and name not in self._opened:
                open_model(name)
                self._opened.add(name)


def _named(plan: Plan, job: Job) -> str:
    return plan.recipe_name(job.method)


def _seed(job: Job) -> str:
    return "" if job.seed is None else f", seed {job.seed},"


def _command(plan: Plan, job: Job) -> list[str]:
    command = [sys.executable, "-m", "reeltune", "train", _named(plan, job)]
    command += ["--out", str(job.folder), "--quiet"]
    command += ["--data", str(plan.data)] if plan.data else []
    for name, value in job.settings.items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    return command
