"""The folder of weights that training of All-in-one begins with."""

from pathlib import Path

from reeltune.errors import CheckpointError, counted
from reeltune.models._all_in_one.network import Network
from reeltune.models._all_in_one.released import RELEASE, fitted
from reeltune.models._all_in_one.settings import Settings
from reeltune.models.opening.weights import WEIGHTS, card_settings, read_tensors

HEADS = ("mc_vqa_classifier.", "vqa_classifier.")  # whose scores mean something by the settings


def fill_from(network: Network, config: Settings, folder: Path) -> tuple[str, ...]:
    """Copy the weights of a folder, and say what begins in another way: heads that the folder
    lacks, or whose scores mean something else there, and a table of times of another length.

    Errors: `CheckpointError` where anything else does not fit.
    """
    if fault := RELEASE.without_weights(folder):
        raise CheckpointError(fault)
    told, path = card_settings(folder, Settings), folder / WEIGHTS
    stored = read_tensors(path)
    if (told.task, told.answers) != (config.task, config.answers):
        stored = {name: value for name, value in stored.items() if not name.startswith(HEADS)}
    report = RELEASE.fill_whole(network, fitted(network, stored), path, may_lack=HEADS)
    begun = sorted({name.partition(".")[0] for name in report.missing})
    said = [f"{head} begins with random weights" for head in begun]
    if more := config.frames - told.frames:
        rest = f"{more} begin as zeros" if more > 0 else f"{-more} are left out"
        rows = min(told.frames, config.frames)
        said.append(f"taken of the table of times: {counted(rows, 'row')}; {rest}")
    return tuple(said)
