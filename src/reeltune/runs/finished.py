"""Writes what a finished run leaves beside its weights, and recognises the run by it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reeltune.errors import CheckpointError
from reeltune.evaluation.protocols import split_hash
from reeltune.evaluation.report import AnyReport
from reeltune.recipes.recipe import Recipe
from reeltune.recipes.stored import RECIPE, as_stored, stored_recipe, write_recipe
from reeltune.tasks.finding.reports import read_report
from reeltune.types import Split

METRICS = "metrics.json"


def write_run(out: Path, recipe: Recipe, report: AnyReport, said: Sequence[str] = ()) -> None:
    """Write what was run and what came out beside the weights."""
    write_recipe(recipe, out)
    (out / "README.md").write_text(model_card(recipe, report, said), encoding="utf-8")
    report.write(out / METRICS)  # last: a run without it is not finished


def finished_run(recipe: Recipe, out: Path, test: Split) -> AnyReport | None:
    """The report of a finished run; None if there is none yet.

    Errors: `CheckpointError` for one of another recipe or of other test videos.
    """
    if not (out / METRICS).is_file():
        return None
    report = read_report(out / METRICS)
    same = report.protocol.asked_hash == hash_of(test)
    if same and is_run_of(recipe, out):
        return report
    other = "other settings" if same else "other test videos"
    raise CheckpointError(
        f"{out} holds a finished run of {other}; give another folder with --out, or remove that one"
    )


def hash_of(split: Split) -> str:
    """Hash of all pairs of a split, as its dataset gave it."""
    return split_hash(split.pairs)


def is_run_of(recipe: Recipe, out: Path) -> bool:
    """Whether the folder of a run says that the run had this recipe with all its settings."""
    stored = stored_recipe(out)
    return stored is not None and as_stored(stored) == as_stored(recipe)


def model_card(recipe: Recipe, report: AnyReport, said: Sequence[str] = ()) -> str:
    """The model card: what the weights are, how they were made, from what they started (`said`),
    and how good they are."""
    init = None
    if recipe.init is not None:
        init = f"{recipe.init}, whose content has the hash {recipe.init_pin}"
    return "\n".join(
        [
            f"# {recipe.name}",
            "",
            f"Made by `reeltune train {recipe.name}` with seed {recipe.training.seed}; "
            f"`{RECIPE}` holds every setting. The weights inherit the terms of what they stand "
            f"on ({_stands_on(recipe.config, init)}) and of the dataset ({recipe.data_name}).",
            "",
            *([*(f"- {sentence}" for sentence in said), ""] if said else []),
            *report.markdown(),
            "",
            report.protocol.markdown(),
        ]
    )


def _stands_on(config: Mapping[str, Any], init: str | None) -> str:
    """What lies below the weights, and the weights that training began from (`init` of a run)."""
    below = config.get("base") or config.get("encoder") or "stored features"
    begun = init or config.get("pretrained")
    return f"{below}; begun from the weights of {begun}" if begun else str(below)
