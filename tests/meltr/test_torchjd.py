"""MELTR as a scalarizer of torchjd: its value, its gradients, and its meta gradient."""

from typing import Any

import pytest
import torch
from outside_models import MODELS, batch_for, compute
from torch import Tensor
from torchjd import Stateful
from torchjd.scalarization import Scalarizer

from oracles.slow_hypergradient import flat
from reeltune.errors import ConfigError
from reeltune.meltr.torchjd import MELTR


def made(name: str) -> Any:
    torch.manual_seed(0)
    return MODELS[name]().double()


def scalarizer(**settings: Any) -> MELTR:
    torch.manual_seed(1)
    return MELTR(3, primary=0, **settings).double()


def test_it_is_a_scalarizer_and_can_be_reset() -> None:
    melter = scalarizer()
    assert isinstance(melter, Scalarizer)
    assert isinstance(melter, Stateful)
    before = flat(list(melter.parameters()))
    melter.reset()
    assert not torch.equal(flat(list(melter.parameters())), before)
    assert flat(list(melter.parameters())).dtype == torch.float64


def test_it_starts_at_the_sum_of_values_of_any_shape() -> None:
    melter = MELTR((2, 2), primary=3)
    values = torch.tensor([[1.0, 2.0], [0.5, 3.0]], requires_grad=True)
    melter(values).backward()
    torch.testing.assert_close(values.grad, torch.ones(2, 2), rtol=0.0, atol=0.1)
    with pytest.raises(ConfigError, match=r"melts values of shape \(2, 2\), and got \(4,\); give"):
        melter(torch.ones(4))


def double_backward(
    model: Any, melter: MELTR, batches: tuple[Any, Any], gamma: float, direct: bool
) -> Tensor:
    """By a graph of the gradient of the whole model."""
    weights, phi = list(model.parameters()), list(melter.parameters())
    lower, upper = (compute(model, batch) for batch in batches)
    primary = upper[0] + gamma * (melter(upper) - upper.sum()).abs()
    v = torch.autograd.grad(primary, weights, retain_graph=True, materialize_grads=True)
    g = torch.autograd.grad(melter(lower), weights, create_graph=True, materialize_grads=True)
    product = torch.stack([(a * b).sum() for a, b in zip(g, v, strict=True)]).sum()
    found = flat(torch.autograd.grad(-product, phi, materialize_grads=True))
    if direct and gamma:
        found = found + flat(torch.autograd.grad(primary, phi, materialize_grads=True))
    return found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("along", "close"), [("vjp", 1e-8), ("jvp", 1e-8), ("difference", 1e-6)])
def test_the_meta_gradient_is_that_of_double_backward(name: str, along: str, close: float) -> None:
    model, batches = made(name), (batch_for(name, 1), batch_for(name, 2))
    melter = scalarizer(along=along, clip_norm=0.0, gamma=0.2, lr=0.0)
    seen: list[Tensor] = []
    melter.teacher.optimizer.register_step_pre_hook(
        lambda *_: seen.append(flat([p.grad for p in melter.parameters()]))
    )
    said = melter.update(model, compute, *batches)
    wanted = double_backward(model, melter, batches, gamma=0.2, direct=True)
    scale = float(wanted.abs().max())
    torch.testing.assert_close(seen[0], wanted, rtol=0.0, atol=close * scale)
    assert said["meta gradient"] == pytest.approx(float(wanted.norm()), rel=1e-5)
    assert all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize("scheme", ["aid-fp-lite", "stocbio", "meta-weight-net"])
def test_a_loop_of_torchjd_trains_by_it(scheme: str) -> None:
    model, melter = made("towers"), scalarizer(scheme=scheme, lr=1e-3)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    before, first = flat(list(melter.parameters())), None
    for step in range(12):
        batch = batch_for("towers", step % 3)
        losses = compute(model, batch)
        first = losses[0].item() if first is None else first
        melter(losses).backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 3 == 0:
            melter.update(model, compute, batch, batch_for("towers", 100))
    assert losses[0].item() < first
    assert not torch.equal(flat(list(melter.parameters())), before)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"primary": 3}, r"primary is 3, and the places of its 3 values are 0 to 2; give one"),
        ({"mode": "plain"}, r"MELTR has no mode 'plain'; there are residual"),
        ({"scheme": "multi-task"}, r"scheme multi-task does not; take another, or torchjd"),
        ({"evry": 1}, r"MELTR got evry=1: there is none of that name"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MELTR(3, **wrong)
