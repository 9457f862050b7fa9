"""By which loss a model of the CLIP family learns its space: one by its name."""

from typing import Annotated, Any

from pydantic import AfterValidator

from reeltune.objectives.objective import Objective
from reeltune.registry import find, names
from reeltune.settings.faults import checked

KIND = "objectives.contrastive"


def _known(name: str) -> str:
    """Refuses a loss that does not come along; the dotted name of one elsewhere is not imported
    here, where settings may come from a file."""
    if "." not in name and name not in names(KIND):
        raise ValueError(f"no loss named {name!r}; there are: {', '.join(names(KIND))}")
    return name


Named = Annotated[str, AfterValidator(_known)]  # of objectives/contrastive, or a dotted name


def objective_named(name: str, options: dict[str, Any]) -> Objective:
    """The loss with its options; ConfigError for one that there is not, or an option it lacks."""
    config = checked(find(KIND, name).Config, "config.objective_options", options)
    made: Objective = config.build()
    return made
