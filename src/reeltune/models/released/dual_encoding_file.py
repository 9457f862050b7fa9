"""What a released checkpoint of Dual Encoding holds: its weights in four parts, and its options.

hybrid_space (2021) writes a list of four state dicts: video levels, text levels, video mapping,
text mapping. dual_encoding (2019) writes two, in which each side's mapping stands with its levels.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from reeltune.errors import CheckpointError
from reeltune.models._pickled import read_pickled

State = Mapping[str, Tensor]
MAPPINGS = ("visual_mapping.", "text_mapping.")  # of 2019, in the two state dicts


@dataclass(frozen=True)
class Released:
    """The four parts, under the names of hybrid_space, and the options of the training."""

    path: Path
    parts: Sequence[State]  # levels of videos and of texts, mappings of videos and of texts
    options: Mapping[str, object]
    best: float | None  # the file's own validation figure, where it is a plain number


def read_released(path: Path) -> Released:
    """A file such as model_best.pth.tar; no code in it is run.

    Errors: `CheckpointError` says what the file lacks.
    """
    stored = _opened(path)
    options = stored.get("opt")
    if not isinstance(options, argparse.Namespace):
        raise CheckpointError(
            f"{path} holds no options under 'opt', by which it is known how its weights are "
            "computed with; give the checkpoint as the released code wrote it"
        )
    best = stored.get("best_rsum")
    return Released(
        path,
        _parts(stored.get("model"), path),
        vars(options),
        best if isinstance(best, float) else None,
    )


class _LeftOut:
    """Stands in for a number of numpy's, as the best figure may be; nothing is made of it."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


NUMBERS = [  # by the names that files have for them
    (_LeftOut, "numpy.dtype"),
    (_LeftOut, "numpy.core.multiarray.scalar"),
    (_LeftOut, "numpy._core.multiarray.scalar"),
]


def _opened(path: Path) -> Mapping[str, object]:
    """The dict in the file, opened as weights only; beside weights it may hold options and
    numbers."""
    stored = read_pickled(
        path,
        "a released Dual Encoding",
        "give its model_best.pth.tar",
        [argparse.Namespace, *NUMBERS],
    )
    if not isinstance(stored, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(stored).__name__} and not weights beside their options; "
            "give the model_best.pth.tar of hybrid_space or dual_encoding"
        )
    return stored


def _parts(model: object, path: Path) -> Sequence[State]:
    states = model if isinstance(model, list) else []
    if len(states) not in (2, 4) or not all(isinstance(state, Mapping) for state in states):
        raise CheckpointError(
            f"{path} holds no list of 4 state dicts under 'model', and none of 2; "
            "give a checkpoint of hybrid_space or dual_encoding"
        )
    return states if len(states) == 4 else _split(states)


def _split(states: Sequence[State]) -> list[State]:
    """Levels of both sides, then mappings of both, with names as in hybrid_space."""
    levels: list[State] = []
    mappings: list[State] = []
    for state, prefix in zip(states, MAPPINGS, strict=True):
        mine = {name for name in state if name.startswith(prefix)}
        levels.append({name: state[name] for name in state if name not in mine})
        mappings.append({f"mapping.{n.removeprefix(prefix)}": state[n] for n in state if n in mine})
    return levels + mappings
