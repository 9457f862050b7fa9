"""Paper-like tables: every method of a family on one benchmark, with several seeds.

Which runs there are, and what comes out of them; `table_runs` makes them. Intervals are bootstraps
over videos and seeds together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.protocols import V2tRule
from reeltune.evaluation.remarks import Remarks, remarks_of
from reeltune.evaluation.report import AnyReport
from reeltune.evaluation.retrieval import Report
from reeltune.models.opening.count import count_parameters
from reeltune.recipes.read import Recipe, read_recipe
from reeltune.runs.benchmark_data import on_data
from reeltune.runs.finished import METRICS
from reeltune.runs.paper import is_published, paper_beside
from reeltune.training.log import read_log

DRAWN = "t2v R@1"  # figure of validation that is drawn as a curve, where there is a validation
BASELINES = ("zero-shot", "full", "bias", "proj", "partial", "adapter-attn", "adapter-ffn", "lora")
RETRIEVAL = ("univl", "univl-primary", "univl-meltr")
CAPTIONS = ("univl-caption-speech", "univl-caption-speech-primary", "univl-caption-speech-meltr")
FAMILIES = {
    "vop": (*BASELINES, "vop", "vop-p", "vop-c", "vop-f", "vop-fp", "vop-fc"),
    "dual-encoding-pp": (
        *("dual-encoding", "dual-encoding-plus-patient"),
        *("dual-encoding-plus", "dual-encoding-plus-uni"),
    ),
    # recipes that the rows of meltr_tables change
    **dict.fromkeys(("meltr-schemes", "meltr-gamma", "meltr-architecture"), RETRIEVAL),
    "meltr-losses": CAPTIONS,
    "meltr-regulariser": (*RETRIEVAL, *CAPTIONS),
}
DRAWS = 2000
Bounds = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a table is made of."""

    family: str
    benchmark: str
    out: Path
    seeds: int = 3
    jobs: int = 0  # runs at once; 0: one per core
    data: Path | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)  # of every recipe
    own: Sequence[Path] = ()  # recipes of one's own, as rows beside those of the family

    def methods(self) -> tuple[str, ...]:
        if self.family not in FAMILIES:
            raise ConfigError(f"no table {self.family!r}; there are: {', '.join(FAMILIES)}")
        return (*FAMILIES[self.family], *self._own())

    def recipe_name(self, method: str) -> str:
        """The recipe of a method on the benchmark, or the file of one's own."""
        return str(self._own().get(method, f"{self.benchmark}/{method}"))

    def _own(self) -> dict[str, Path]:
        """Files by the names of their rows."""
        if self.own and self.family != "vop":
            raise ConfigError(
                f"table {self.family} has the rows of its paper alone; give --method to table vop"
            )
        named = {path.stem: path for path in self.own}
        if len(named) < len(self.own) or named.keys() & set(FAMILIES[self.family]):
            raise ConfigError(
                f"rows are named after their files, and {', '.join(map(str, self.own))} are not "
                "all of another name than each other and the methods of the table; rename one"
            )
        return named


@dataclass(frozen=True)
class Job:
    """One run: a method and what is different from its recipe."""

    method: str
    seed: int
    folder: Path
    changes: tuple[tuple[str, Any], ...] = ()

    def recipe(self, plan: Plan) -> Recipe:
        """What is run, settled on the data of the plan as the run itself settles it."""
        return recipe_of(plan, self.method, {**dict(self.changes), "training.seed": self.seed})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method: means over seeds."""

    method: str
    trainable: int
    total: int
    t2v: dict[str, float]
    v2t: dict[str, float]
    interval: Bounds  # of t2v R@1, 95 %
    subsets: dict[str, tuple[float, Bounds]]  # tag -> t2v R@1
    against: dict[str, tuple[float, Bounds]]  # method -> difference of t2v R@1
    subsets_against: dict[str, dict[str, tuple[float, Bounds]]]  # tag -> method -> the same
    paper: dict[str, float]
    seconds: float  # of training, mean
    remarks: Remarks


class Made(NamedTuple):
    """A table as it was made."""

    text: str  # Markdown
    pages: list[Path]  # the files that were written
    incomplete: bool  # whether a report in it lacks something of its test split


def jobs_of(plan: Plan) -> list[Job]:
    """Every run of the table; what is not trained needs one seed."""
    return [
        Job(method, seed, plan.out / method / f"seed{seed}", tuple(plan.changes.items()))
        for method in plan.methods()
        for seed in range(plan.seeds if recipe_of(plan, method).tunes else 1)
    ]


def sweep_of(plan: Plan, seed: int = 0) -> dict[int, Job]:
    """Runs of VoP^F for every K_s, the number of layers that see single frames."""
    config = recipe_of(plan, "vop-f").model_config_of()
    depth = config.skeleton().towers.config.vision_config.num_hidden_layers
    found = {}
    for after in range(depth + 1):
        prompts = [part.model_dump(mode="json") for part in config.prompts]
        prompts = [{**p, "after": after} if p["kind"] == "joint" else p for p in prompts]
        changes = (*plan.changes.items(), ("config.prompts", prompts))
        found[after] = Job("vop-f", seed, plan.out / "sweep" / f"after{after}", changes)
    return found


def rows_of(plan: Plan) -> list[Row]:
    """The table, from the reports on disk."""
    reports = {
        method: [measured(plan, folder) for folder in _folders(plan, method)]
        for method in plan.methods()
    }
    return [_row(plan, method, reports) for method in plan.methods()]


def curves_of(plan: Plan) -> dict[str, list[tuple[int, float]]]:
    """Validation R@1 by optimizer step, of each method's first seed."""
    return {
        method: [
            (int(line["step"]), float(line[DRAWN]))
            for line in read_log(_folders(plan, method)[0])
            if line["kind"] == "epoch" and DRAWN in line
        ]
        for method in plan.methods()
    }


def _row(plan: Plan, method: str, reports: Mapping[str, list[Report]]) -> Row:
    own = reports[method]
    config = recipe_of(plan, method).model_config_of()
    with torch.device("meta"):
        count = count_parameters(config.build())
    others = [name for name in ("zero-shot", "full", "vop") if name in reports and name != method]
    return Row(
        method=method,
        trainable=count["trainable"],
        total=count["total"],
        t2v=mean_of([report.t2v for report in own]),
        v2t=mean_of([report.v2t for report in own]),
        interval=bounds(drawn(own)),
        subsets={tag: _share(own, tag) for tag in own[0].subsets},
        against={name: _difference(own, reports[name]) for name in others},
        subsets_against={
            tag: {name: _difference(own, reports[name], tag) for name in others}
            for tag in own[0].subsets
        },
        paper=paper_beside(recipe_of(plan, method), own[0])[0],
        seconds=_seconds(plan, method),
        remarks=remarks_of(own),
    )


def _seconds(plan: Plan, method: str) -> float:
    """Mean time of a run's training steps, from its log."""
    settings = recipe_of(plan, method).training
    logs = [read_log(folder) for folder in _folders(plan, method)]
    steps = [line for log in logs for line in log if line["kind"] == "step"]
    clips = settings.batch * settings.accumulate
    return sum(clips / line["clips/s"] for line in steps) / max(len(logs), 1)


def recipe_of(plan: Plan, method: str, changes: Mapping[str, Any] | None = None) -> Recipe:
    """A method on the data of the plan, with the plan's changes unless others are given.

    Errors: `ConfigError` for a recipe of one's own that is of another benchmark.
    """
    asked = dict(plan.changes if changes is None else changes)
    recipe = read_recipe(plan.recipe_name(method), asked)
    place = recipe.name.partition("/")[0]
    if place != plan.benchmark:
        raise ConfigError(
            f"{plan.recipe_name(method)} is a recipe of {place}, and this table is of "
            f"{plan.benchmark}; give --dataset {place}, or change the benchmark in the file"
        )
    return on_data(recipe, plan.data)


def is_papers_own(plan: Plan, benchmark: str, method: str, reports: Iterable[AnyReport]) -> bool:
    """Whether reports of a method are of the test data that a paper measured on `benchmark`."""
    if plan.benchmark != benchmark:
        return False
    recipe = recipe_of(plan, method)
    return all(is_published(recipe, report) for report in reports)


def rule_of(plan: Plan) -> V2tRule:
    """By which rule the table ranks captions of a video."""
    return recipe_of(plan, plan.methods()[0]).v2t


def measured(plan: Plan, folder: Path) -> Report:
    """The report of a run, as `require_rule` wants it."""
    report = Report.read(folder / METRICS)
    require_rule(plan, folder, report)
    return report


def require_rule(plan: Plan, folder: Path, report: AnyReport) -> None:
    """Raise DataError for a report whose video to text is by another rule than the table's."""
    wanted = rule_of(plan)
    found = getattr(report.protocol, "v2t", wanted)  # captions have no such rule
    if found != wanted:
        raise DataError(
            f"{folder} was measured with v2t={found}, and this table is by v2t={wanted}; give "
            f"--set v2t={found} for a table of what is there, or another --out to train anew"
        )


def _folders(plan: Plan, method: str) -> list[Path]:
    folders = sorted((plan.out / method).glob("seed*"))
    return [folder for folder in folders if (folder / METRICS).is_file()]


def mean_of(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each figure, over seeds."""
    return {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}


def _share(reports: Sequence[Report], tag: str) -> tuple[float, Bounds]:
    mean = float(np.mean([report.subsets[tag]["R@1"] for report in reports]))
    return mean, bounds(drawn(reports, tag))


def _difference(
    own: Sequence[Report], other: Sequence[Report], tag: str | None = None
) -> tuple[float, Bounds]:
    """R@1 of `own` less that of `other`, on the same draws of videos."""
    name = "R@1"
    means = [
        float(np.mean([(r.subsets[tag] if tag else r.t2v)[name] for r in side]))
        for side in (own, other)
    ]
    return means[0] - means[1], bounds(drawn(own, tag) - drawn(other, tag))


def drawn(
    reports: Sequence[Report],
    tag: str | None = None,
    way: Literal["t2v", "v2t"] = "t2v",
    depth: int = 1,
) -> Float[np.ndarray, " R"]:
    """R@`depth` in percent of each draw: videos with replacement, and a seed for every draw of all.

    Two sets of reports on the same test split get the same videos, and so do both ways. Of a
    subset there is text to video alone.
    """
    ranks = reports[0].ranks
    video = np.array(ranks.video) if way == "t2v" else np.arange(len(ranks.v2t))
    rows = np.array(ranks.tagged[tag]) if tag else np.arange(len(video))
    members, place = np.unique(video[rows], return_inverse=True)
    sizes = np.bincount(place)
    found = (np.array(getattr(report.ranks, way))[rows] for report in reports)
    hits = np.stack([np.bincount(place, one <= depth) for one in found])  # (seeds, videos)
    videos, seeds = chosen(len(members), len(reports))
    mean = hits[seeds].mean(axis=1)  # (draws, videos)
    return 100 * np.take_along_axis(mean, videos, 1).sum(1) / sizes[videos].sum(1)


def chosen(videos: int, seeds: int) -> tuple[Int[np.ndarray, "R N"], Int[np.ndarray, "R S"]]:
    """Videos and seeds of each draw, with replacement; the same at every call."""
    some = np.random.default_rng(0).integers(0, videos, (DRAWS, videos))
    return some, np.random.default_rng([1, seeds]).integers(0, seeds, (DRAWS, seeds))


def bounds(draws: Float[np.ndarray, " R"]) -> Bounds:
    """The middle 95 %."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
