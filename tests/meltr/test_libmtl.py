"""MELTR as a weighting of LibMTL, put together and called as LibMTL's Trainer does it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from oracles.slow_hypergradient import flat
from reeltune.errors import ConfigError
from reeltune.meltr.libmtl import MELTR


class Architecture(nn.Module):
    """As an architecture of LibMTL with hard parameter sharing."""

    def __init__(self, task_name: list[str]) -> None:
        super().__init__()
        self.task_name, self.task_num = task_name, len(task_name)
        self.encoder = nn.Sequential(nn.Linear(5, 8), nn.Tanh())
        self.decoders = nn.ModuleDict({task: nn.Linear(8, 1) for task in task_name})

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        hidden = self.encoder(inputs)
        return {task: decoder(hidden)[:, 0] for task, decoder in self.decoders.items()}


class Model(Architecture, MELTR):
    """As LibMTL makes it of both."""

    def __init__(self, task_name: list[str]) -> None:
        super().__init__(task_name)
        self.init_param()


Batch = tuple[Tensor, dict[str, Tensor]]


def losses(model: Any, batch: Batch) -> dict[str, Tensor]:
    found = model(batch[0])
    return {task: nn.functional.mse_loss(found[task], batch[1][task]) for task in found}


def batch_of(seed: int) -> Batch:
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(8, 5, generator=source)
    return x, {"depth": x.sum(1), "noise": torch.randn(8, generator=source)}


def test_libmtl_trains_by_it() -> None:
    torch.manual_seed(0)
    model = Model(["depth", "noise"])
    names = set(model.state_dict())
    loader = [batch_of(seed) for seed in range(4)]
    given = {"compute": losses, "train_on": loader, "judge_on": [batch_of(9)], "primary": "depth"}
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    phi, weights = None, []
    for batch in 3 * loader:
        found = torch.zeros(2)
        for place, loss in enumerate(losses(model, batch).values()):
            found[place] = loss
        optimizer.zero_grad(set_to_none=False)
        weights.append(model.backward(found, **given, every=2, lr=0.01))
        phi = flat(list(model.melt.combiner.parameters())) if phi is None else phi
        optimizer.step()
    assert torch.tensor(weights[0]) == pytest.approx(torch.ones(2), abs=0.2), "starts at the sum"
    assert not torch.equal(flat(list(model.melt.combiner.parameters())), phi)
    assert set(model.state_dict()) == names, "MELTR is no part of the model"


def test_arguments_that_are_lacking_are_named() -> None:
    message = r"weight_args of MELTR lack train_on, judge_on, primary;"
    with pytest.raises(ConfigError, match=message):
        Model(["depth"]).backward(torch.ones(1), compute=losses)
