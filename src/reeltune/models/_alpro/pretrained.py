"""What training begins with: weights of a converted release, and what a prompter chooses from."""

from pathlib import Path
from typing import TypeVar

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models._alpro.entities import frequent_words
from reeltune.models._alpro.network import Network
from reeltune.models._alpro.released import RELEASE, fitted
from reeltune.models._alpro.settings import Settings
from reeltune.models.opening.material import Material
from reeltune.models.opening.weights import WEIGHTS, card_settings, read_tensors

INSIDE = "prompter"  # folder beside the weights of a converted release that had one inside
HEADS = ("mpm_head.", "classifier.")  # whose outputs mean something by their settings alone
Own = TypeVar("Own", bound=Settings)


def with_prompter(config: Own, material: Material) -> Own:
    """The settings with a prompter and what it chooses from, where the model is trained by it.

    Errors: `ConfigError` where there is none, `DataError` where captions have no word to choose.
    """
    if "pem" not in config.tasks:
        return config
    prompter = config.prompter
    if prompter is None and config.pretrained is not None:
        inside = config.pretrained / INSIDE
        prompter = str((inside if inside.is_dir() else config.pretrained).absolute())
    if prompter is None:
        raise ConfigError(
            f"{material.title}: config.tasks has pem, and there is no model that says what a crop "
            "shows; give --set config.prompter=MODEL (tiny-clip, or a folder of ALPRO or of a "
            "CLIP), or leave pem out of config.tasks"
        )
    entities = config.entities or _entities_beside(config.pretrained)
    if not entities and material.splits:
        entities = frequent_words(material.splits[0].pairs, config.most_entities)
        if not entities:
            raise DataError(
                f"{material.title}: config.tasks has pem, and no caption has an English word to "
                "choose from; give --set config.entities=[A, B, ...], or leave pem out of "
                "config.tasks"
            )
    return config.model_copy(update={"prompter": prompter, "entities": entities})


def _entities_beside(folder: Path | None) -> tuple[str, ...]:
    return () if folder is None else card_settings(folder, Settings).entities


def fill_from(network: Network, config: Settings, folder: Path) -> tuple[str, ...]:
    """Copy the weights of a folder, and say which heads begin with random ones all the same.

    Those are the heads that the folder lacks, or whose outputs mean something else there.
    Errors: `CheckpointError` where anything else does not fit.
    """
    if fault := RELEASE.without_weights(folder):
        raise CheckpointError(fault)
    told, path = card_settings(folder, Settings), folder / WEIGHTS
    given = fitted(read_tensors(path), config.image // config.patch, config.frames, path)
    same = {
        "mpm_head.": told.entities == config.entities,
        "classifier.": (told.task, told.answers) == (config.task, config.answers),
    }
    own = network.state_dict().keys()
    kept = {
        name: value
        for name, value in given.weights.items()
        if not name.startswith(HEADS)
        or (name in own and same[next(head for head in HEADS if name.startswith(head))])
    }
    report = RELEASE.fill_whole(network, kept, path, may_lack=HEADS)
    begun = sorted({name.partition(".")[0] for name in report.missing})
    resized = (f"{name} is interpolated" for name in given.interpolated)
    return (*(f"{head} begins with random weights" for head in begun), *resized)
