"""The released checkpoints of All-in-one, such as `all-in-one-base.ckpt`: Lightning's own files,
whose keys are the names of our network."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from reeltune.models._released_keys import KeyReport, Release

FILE = "all-in-one-base.ckpt"
TIMES = "transformer.temporal_embed"
# A row of numbers that nobody learned, and the release's own head for ranking, which it begins with
# half of `itm_score`.
SKIPPED = ("text_embeddings.position_ids", "rank_output.")


class _Callback:
    """Stands in for callbacks of Lightning, whose names stand beside the weights."""


LIGHTNING = (  # what its checkpoints name beside tensors and plain values
    (dict, "pytorch_lightning.utilities.parsing.AttributeDict"),
    (_Callback, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"),
    (_Callback, "pytorch_lightning.callbacks.lr_monitor.LearningRateMonitor"),
)
RELEASE = Release("All-in-one", FILE, "all-in-one", LIGHTNING)


def fill(network: nn.Module, given: Mapping[str, Tensor], path: Path) -> KeyReport:
    """Copy what fits into `network`; the table of times is cut, or filled up with zeros, to the
    network's rows.

    Errors: `CheckpointError` as of `Release.fill`.
    """
    skipped = tuple(name for name in given if name.startswith(SKIPPED))
    kept = fitted(network, {name: given[name] for name in given if name not in skipped})
    changed = TIMES in given and given[TIMES].shape != kept[TIMES].shape
    report = RELEASE.fill(network, kept, path)
    return replace(report, skipped=skipped, interpolated=(TIMES,) if changed else ())


def fitted(network: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with as many rows of times as the network has."""
    rows = network.get_parameter(TIMES).shape[1]
    found = dict(given)
    if TIMES in given and given[TIMES].ndim == 3:
        table = given[TIMES][:, :rows]
        more = table.new_zeros(len(table), rows - table.shape[1], table.shape[2])
        found[TIMES] = torch.cat([table, more], dim=1)
    return found
