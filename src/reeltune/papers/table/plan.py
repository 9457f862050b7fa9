"""The plan of a table: its benchmark, seeds and settings, and the runs of its rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reeltune.errors import ConfigError
from reeltune.recipes.read import read_of, read_recipe
from reeltune.recipes.recipe import Recipe
from reeltune.runs.benchmark_data import on_data
from reeltune.settings.unread import switch


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Says which table is made, on which data and where."""

    family: str  # a file of papers/, or the dotted name of one elsewhere
    benchmark: str
    out: Path
    seeds: int = 3
    jobs: int = 0  # runs at once; 0: one per core
    data: Path | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)  # of every recipe
    own: Sequence[Path] = ()  # recipes of one's own, as rows beside those of the family

    def recipe_name(self, method: str) -> str:
        """The recipe of a method on the benchmark, the file of one's own, or the method itself
        where it names its benchmark, as "toybox-action/violet" does."""
        if "/" in method:
            return method
        return str(self.own_files().get(method, f"{self.benchmark}/{method}"))

    def own_files(self) -> dict[str, Path]:
        """Recipes of one's own by the names of their rows."""
        return {path.stem: path for path in self.own}


@dataclass(frozen=True)
class Job:
    """One run: a method and what is different from its recipe."""

    method: str
    seed: int | None  # None: nothing is trained
    folder: Path
    changes: tuple[tuple[str, Any], ...] = ()  # those that all seeds share

    @property
    def settings(self) -> dict[str, Any]:
        """The changes, and the seed where there is one."""
        return dict(self.changes) | ({} if self.seed is None else {"training.seed": self.seed})

    def recipe(self, plan: Plan) -> Recipe:
        """What is run, settled on the data of the plan as the run itself settles it."""
        return recipe_of(plan, self.method, self.settings)


def recipe_of(plan: Plan, method: str, changes: Mapping[str, Any] | None = None) -> Recipe:
    """A method on the data of the plan, with the plan's changes unless others are given.

    Errors: `ConfigError` for a recipe of one's own that is of another benchmark.
    """
    asked = passed_on(plan, method) if changes is None else dict(changes)
    recipe = read_recipe(plan.recipe_name(method), asked)
    place = recipe.name.partition("/")[0]
    if method in plan.own_files() and place != plan.benchmark:
        raise ConfigError(
            f"{plan.recipe_name(method)} is a recipe of {place}, and this table is of "
            f"{plan.benchmark}; give --dataset {place}, or change the benchmark in the file"
        )
    return on_data(recipe, plan.data)


def passed_on(plan: Plan, method: str, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Changes of the plan, and of a row its `own`, which go before these, that the row reads.

    Without changes of the plan all of its own are left, so that a table which has one that nothing
    reads is refused.
    """
    own = own or {}
    return read_of(plan.recipe_name(method), plan.changes, own) if plan.changes else dict(own)


def require_passed_on(plan: Plan, jobs: Sequence[Job], said: Callable[[str], None]) -> None:
    """Say which rows do not read a change of the plan.

    Errors: `ConfigError` for a change that no row reads.
    """
    for path, value in plan.changes.items():
        without = dict.fromkeys(job.method for job in jobs if (path, value) not in job.changes)
        if jobs and all((path, value) not in job.changes for job in jobs):
            read_recipe(plan.recipe_name(jobs[0].method), {path: value})  # says why
            raise ConfigError(f"no row of the table reads {path}; leave out {switch(path, value)}")
        if without:
            said(f"{path} is not read by {', '.join(without)}; it is passed to the other rows")
