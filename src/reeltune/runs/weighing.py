"""Makes the step of a training whose losses a weighting weighs."""

from typing import Any

from reeltune.batches.loader import Loader
from reeltune.errors import ConfigError
from reeltune.meltr.outer import HeldOut
from reeltune.objectives.named import names_of, primary_of
from reeltune.runs.bilevel import first_losses
from reeltune.training.settings import Settings
from reeltune.training.weighted import Weighted
from reeltune.training.weighting import Weighting


def weighted_step(
    model: Any, loader: Loader, held_out: Loader | None, settings: Settings
) -> Weighted:
    """The step that weighs the losses of `model` as `settings.combine` says."""
    tasks = tuple(first_losses(model, loader))
    weighting = weighting_of(settings, tasks)
    judges = HeldOut(held_out.epoch) if held_out and weighting.held_out else None
    return Weighted(model, weighting, tasks, settings.precision, judges)


def require_weighting(settings: Settings, model: Any) -> None:
    """Raise ConfigError for what is wrong with the weighting, as far as is known before a batch is;
    names of losses are looked at where the model states them."""
    if settings.combine is not None:
        weighting_of(settings, names_of(model) or (primary_of(model), "another"))


def weighting_of(settings: Settings, tasks: tuple[str, ...]) -> Weighting:
    """What `settings.combine` names; raises ConfigError where there is a single loss to weigh."""
    found = settings.weighting(tasks)
    if found is None or len(tasks) < 2:
        raise ConfigError(
            f"training.combine is {settings.combine}, which weighs several losses, and the model "
            f"has {', '.join(tasks)} alone; leave it out"
        )
    return found
