"""The released checkpoint of Violet, `ckpt_violet_pretrain.pt`: which of its keys fit a network.

Its names are those of our network. What is made of the sizes alone is left out of it, and heads
for questions begin with that of matching, as far as it has their shape.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from reeltune.models._released_keys import KeyReport
from reeltune.models._violet.network import Network
from reeltune.models._violet.settings import RELEASE

MADE = ("relative_position_index", "position_ids")  # last parts of names: numbers of places
TWICE = {"fc_mtm.predictions.decoder.bias": "fc_mtm.predictions.bias"}  # another name, and the one
HEADS = ("fc_mc", "fc_oe")  # begun with `fc`


def read(path: Path) -> dict[str, Tensor]:
    """Weights by name.

    Errors: `CheckpointError` for a file that is no state dict.
    """
    given = {n: w for n, w in RELEASE.read(path).items() if n.rpartition(".")[2] not in MADE}
    for name, same in TWICE.items():
        if name in given and same not in given:
            given[same] = given[name]
    return given


def fill(network: Network, given: Mapping[str, Tensor], path: Path) -> KeyReport:
    """Copy what fits into `network`, and what of `fc` fits into a head for questions.

    Errors: `CheckpointError` as of `Release.fill`.
    """
    taken = _renamed(network, given)
    begun = {new: given[old] for old, new in taken}
    report = RELEASE.fill(network, {**given, **begun}, path)
    return replace(
        report,
        loaded=tuple(name for name in report.loaded if name not in begun),
        unexpected=tuple(name for name in report.unexpected if name not in TWICE),
        tied=(*report.tied, *(name for name in TWICE if name in given)),
        renamed=tuple(f"{old} -> {new}" for old, new in taken),
    )


def _renamed(network: Network, given: Mapping[str, Tensor]) -> list[tuple[str, str]]:
    """Names in the file and in the network of what a head for questions begins with."""
    found = []
    for name, weight in network.state_dict().items():
        head, _, rest = name.partition(".")
        begins = given.get(f"fc.{rest}") if head in HEADS and name not in given else None
        if begins is not None and begins.shape == weight.shape:
            found.append((f"fc.{rest}", name))
    return found
