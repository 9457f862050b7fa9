"""Writes what a finished run leaves beside its weights, and recognises the run by it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reeltune.errors import CheckpointError
from reeltune.evaluation.protocols import split_hash
from reeltune.evaluation.report import AnyReport
from reeltune.recipes.stored import RECIPE, as_stored, stored_recipe, write_recipe
from reeltune.storage.run_log import BEFORE as BEFORE
from reeltune.storage.run_log import METRICS as METRICS
from reeltune.tasks.finding.reports import read_report
from reeltune.types import Split


def write_run(out: Path, settings: Mapping[str, Any], card: str, report: AnyReport) -> None:
    """Write every setting of the recipe, the model card and what came out beside the weights."""
    write_recipe(settings, out)
    (out / "README.md").write_text(card, encoding="utf-8")
    report.write(out / METRICS)  # last: a run without it is not finished


def finished_run(settings: Mapping[str, Any], out: Path, test: Split) -> AnyReport | None:
    """The report of a finished run; None if there is none yet.

    Errors: `CheckpointError` for one of other settings or of other test videos.
    """
    if not (out / METRICS).is_file():
        return None
    report = read_report(out / METRICS)
    same = report.protocol.asked_hash == hash_of(test)
    if same and is_run_of(settings, out):
        return report
    other = "other settings" if same else "other test videos"
    raise CheckpointError(
        f"{out} holds a finished run of {other}; give another folder with --out, or remove that one"
    )


def hash_of(split: Split) -> str:
    """Hash of all pairs of a split, as its dataset gave it."""
    return split_hash(split.pairs)


def is_run_of(settings: Mapping[str, Any], out: Path) -> bool:
    """Whether the folder of a run says that the run had all these settings."""
    stored = stored_recipe(out)
    return stored is not None and as_stored(stored) == settings


def model_card(
    name: str, seed: int | None, below: str, report: AnyReport, said: Sequence[str] = ()
) -> str:
    """The model card: what the weights are, how they were made, from what they started (`said`),
    and how good they are.

    `name` is that of the recipe, `seed` None where nothing was trained, and `below` is what the
    weights stand on (`stands_on`).
    """
    seeded = "" if seed is None else f" with seed {seed}"
    return "\n".join(
        [
            f"# {name}",
            "",
            f"Made by `reeltune train {name}`{seeded}; "
            f"`{RECIPE}` holds every setting. The weights inherit the terms of what they stand "
            f"on ({below}) and of the dataset ({report.protocol.dataset}).",
            "",
            *([*(f"- {sentence}" for sentence in said), ""] if said else []),
            *report.markdown(),
            "",
            report.protocol.markdown(),
        ]
    )


def stands_on(config: Mapping[str, Any], init: Path | None, init_pin: str | None) -> str:
    """What lies below the weights of a model with these settings, and the weights that training
    began from: those of the run `init`, or of a release."""
    below = config.get("base") or config.get("encoder") or "stored features"
    run = init and f"{init}, whose content has the hash {init_pin}"
    begun = run or config.get("pretrained")
    return f"{below}; begun from the weights of {begun}" if begun else str(below)
