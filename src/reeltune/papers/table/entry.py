"""A row before it is measured, and the runs that it needs.

Runs are shared: what two rows need, even rows of two tables in one folder, is trained once, in a
folder named by the recipe and by what is changed in it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from reeltune.evaluation.report import AnyReport
from reeltune.papers.table.plan import Job, Plan, passed_on, recipe_of
from reeltune.recipes.recipe import Recipe


class Measured(NamedTuple):
    """The report of a run, and what else the table has to know about it."""

    report: AnyReport
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row: a recipe, what is changed in it, and what the paper has for it."""

    name: str
    method: str
    what: str = ""  # in words
    changes: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""  # of its runs, within that of the table; by default named by the changes
    paper: Mapping[str, float] | None = None  # figures; None: those that stand with the recipe
    against: Mapping[str, str] = field(default_factory=dict)  # label -> a row it is compared with
    measure: Callable[[Path], Measured] | None = None  # of a run's folder; None: its own report

    def recipe(self, plan: Plan) -> Recipe:
        """The recipe on the data of the plan, with its own seed."""
        return recipe_of(plan, self.method, passed_on(plan, self.method, self.changes))

    def unread(self, plan: Plan) -> list[str]:
        """Its own changes that nothing reads beside those of the plan, by their paths."""
        passed = passed_on(plan, self.method, self.changes)
        return [path for path in self.changes if path not in passed]

    def jobs(self, plan: Plan) -> list[Job]:
        """The runs of the row, one for each seed; what is not trained needs one."""
        changes = self._needed(plan)
        name = self.folder or "+".join([self.method, *map(_slug, changes.items())])
        settings = tuple(passed_on(plan, self.method, changes).items())
        if not self.recipe(plan).tunes:
            return [Job(self.method, None, plan.out / name / "seed0", settings)]
        return [
            Job(self.method, seed, plan.out / name / f"seed{seed}", settings)
            for seed in range(plan.seeds)
        ]

    def _needed(self, plan: Plan) -> dict[str, Any]:
        """Only the changes that alter the recipe; the others would change a run's name alone."""

        def resolved(changes: Mapping[str, Any]) -> tuple[object, object]:
            recipe = recipe_of(plan, self.method, passed_on(plan, self.method, changes))
            return recipe.model_copy(update={"config": {}}), recipe.model_config_of()

        kept = dict(self.changes)
        for name in self.changes:
            fewer = {other: value for other, value in kept.items() if other != name}
            if resolved(fewer) == resolved(kept):
                kept = fewer
        return kept


def _slug(change: tuple[str, object]) -> str:
    """A part of a folder's name: `meltr.scheme`, "neumann" gives `scheme-neumann`."""
    name, value = change
    return re.sub(r"[^\w.]+", "-", f"{name.rpartition('.')[2]}-{value}").strip("-")
