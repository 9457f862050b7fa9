"""The state of a training run in one safetensors file: what resuming bit for bit needs."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reeltune.errors import CheckpointError, in_short
from reeltune.storage.tensors import write_tensors
from reeltune.training.schedule import Score, Trend
from reeltune.training.shards import like, whole, wholes

STATE = "state.safetensors"


@dataclass
class Place:
    """How far a run has come."""

    identity: str  # of the run: what is trained, on what, and how
    step: int = 0  # optimizer steps done
    epoch: int = 0
    batch: int = 0  # of the epoch, the next one
    best: Score = field(default_factory=Score)  # of validation
    best_epoch: int = -1
    seconds: float = 0.0  # spent so far
    trend: Trend = field(default_factory=Trend)

    @classmethod
    def read(cls, text: str) -> "Place":
        """The place from the JSON of `asdict`."""
        stored = json.loads(text)
        trend, best = Trend(**stored["trend"]), Score(*stored["best"])
        return cls(**{**stored, "trend": trend, "best": best})


@dataclass(frozen=True)
class State:
    """A copy of all that a run needs to go on."""

    place: Place
    tensors: dict[str, Tensor]

    def write(self, folder: Path) -> None:
        """Write under another name and rename: there is always a whole one."""
        write_tensors(folder / STATE, self.tensors, {"place": json.dumps(asdict(self.place))})


def state_of(
    place: Place,
    weights: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
    step: Mapping[str, Tensor] | None = None,
) -> State:
    """The state of a run as it is now; all processes ask where weights are shared out.

    `step` is what the training step itself remembers, such as the weights of MELTR.
    """
    tensors = {f"step/{name}": tensor for name, tensor in (step or {}).items()}
    tensors |= {f"weight/{name}": whole(weight.detach()) for name, weight in weights.items()}
    tensors |= {f"best/{name}": weight for name, weight in wholes(best).items()}
    for name, weight in weights.items():
        for key, value in optimizer.state.get(weight, {}).items():
            tensors[f"optimizer/{key}/{name}"] = whole(value)
    tensors["random"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random-cuda"] = torch.cuda.get_rng_state()
    apart = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    return State(deepcopy(place), apart)


def remove_state(folder: Path) -> None:
    """Remove the state of a run that is finished, which nothing will resume."""
    (folder / STATE).unlink(missing_ok=True)


def step_state(folder: Path) -> dict[str, Tensor]:
    """The state that the training step had when the run stopped."""
    with safe_open(folder / STATE, "pt") as file:
        names = [name for name in file.keys() if name.startswith("step/")]  # noqa: SIM118
        return {name.removeprefix("step/"): file.get_tensor(name) for name in names}


def load_state(
    folder: Path,
    identity: str,
    weights: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> tuple[Place, dict[str, Tensor]] | None:
    """Bring weights, optimizer and generators to where a run stopped; returns None if there is no
    state.

    Errors: `CheckpointError` if the state is of another run, or cannot be read.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            place = Place.read(file.metadata()["place"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({in_short(error)}); delete it to start anew"
        ) from error
    fitting = all(
        f"weight/{name}" in tensors and tensors[f"weight/{name}"].shape == weight.shape
        for name, weight in weights.items()
    )
    if place.identity != identity or not fitting:
        raise CheckpointError(
            f"{path} belongs to another run, with other settings, data or model; "
            "name another folder, or delete it to start anew"
        )
    remembered: dict[str, dict[str, Tensor]] = {}  # by the optimizer, of each weight
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        if part == "optimizer":
            key, _, weight_name = rest.partition("/")
            remembered.setdefault(weight_name, {})[key] = tensor
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(like(tensors[f"weight/{name}"], weight))
            if state := remembered.get(name):
                moved = {
                    k: t if k == "step" else like(t.to(weight.device), weight)
                    for k, t in state.items()
                }
                optimizer.state[weight] = moved
    torch.set_rng_state(tensors["random"])
    if "random-cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random-cuda"])
    prefix = "best/"
    best = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    return place, {n: like(t, weights[n]) if n in weights else t for n, t in best.items()}
