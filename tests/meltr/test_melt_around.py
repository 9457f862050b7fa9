"""MELTR inside what loops put around a step: autocast, a scaler, checkpoints, compiled models."""

from typing import Any

import pytest
import torch
from small_problems import Backbone, ids
from test_melt import batch_of, compute_losses, melt_of, net, phi, small
from torch import Tensor, nn

from oracles.slow_hypergradient import flat
from reeltune.errors import ConfigError
from reeltune.meltr import Melt


def moved(melt: Melt, around: Any, steps: int = 3) -> Tensor:
    """MELTR after some steps of `melt.step` within what `around` enters."""
    optimizer = torch.optim.SGD(melt.model.parameters(), 0.1)
    for number in range(steps):
        with around():
            melt.step(batch_of(number))
        optimizer.step()
        optimizer.zero_grad()
    return phi(melt)


def bfloat16() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def test_in_bfloat16_the_model_alone_is_coarse() -> None:
    """By the caller's autocast as by the setting, to the bit; MELTR itself is in float32."""
    found = {
        "around": melt_of(net(dropout=0.0), every=1),
        "setting": melt_of(net(dropout=0.0), every=1, precision="bf16"),
        "full": melt_of(net(dropout=0.0), every=1),
    }
    ends = {name: moved(melt, bfloat16 if name == "around" else torch.enable_grad)
            for name, melt in found.items()}  # fmt: skip
    assert torch.equal(ends["around"], ends["setting"])
    assert not torch.equal(ends["around"], ends["full"])
    torch.testing.assert_close(ends["around"], ends["full"], rtol=0.0, atol=0.03)
    facts = found["around"].facts
    values = torch.tensor([facts[name] for name in ("which", "size", "noise")])
    with bfloat16():
        melted = found["around"](dict(zip(("which", "size", "noise"), values, strict=True)))
    assert melted.item() == found["around"].combiner(values).item()


def test_slopes_in_an_autocast_of_the_losses_own_are_refused_unless_they_are_gradients() -> None:
    def own(model: Any, batch: Any) -> dict[str, Tensor]:
        with bfloat16():
            return compute_losses(model, batch)

    def melt_by(along: str) -> Melt:
        return Melt(net(dropout=0.0), own, "which", [batch_of(100)], every=1, along=along,
                    combiner=small())  # fmt: skip

    with pytest.raises(ConfigError, match=r"Net runs in an autocast that.*set along to \"vjp\""):
        moved(melt_by("difference"), torch.enable_grad)
    assert moved(melt_by("vjp"), torch.enable_grad).isfinite().all()


def test_a_scaler_scales_training_and_meta_steps_need_none() -> None:
    model, other = net(dropout=0.0), net(dropout=0.0)
    melt, full = melt_of(model, every=1), melt_of(other, every=1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with torch.autocast("cpu", torch.float16):
        loss = melt(compute_losses(model, batch_of(0)))
    scaler.scale(loss).backward()
    full(compute_losses(other, batch_of(0))).backward()
    scaler.unscale_(optimizer)
    torch.testing.assert_close(model.head.weight.grad, other.head.weight.grad, rtol=0.0, atol=0.01)
    scaler.step(optimizer)
    scaler.update()
    other.load_state_dict(model.state_dict())
    with torch.autocast("cpu", torch.float16):
        facts = melt.update(batch_of(0))
    assert facts["meta gradient"] == full.update(batch_of(0))["meta gradient"]
    assert torch.equal(phi(melt), phi(full))


def test_attention_dropout_and_checkpoints_are_no_hindrance() -> None:
    def losses(model: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return model.losses(batch["ids"])

    ends = []
    for recompute in (True, False):
        torch.manual_seed(0)
        model, held_out = Backbone(recompute=recompute).train(), [{"ids": ids()}]
        melt = Melt(model, losses, "primary", held_out, every=1)
        torch.manual_seed(1)
        for _ in range(3):
            melt.step({"ids": ids()})
        ends.append((phi(melt), flat([w.grad for w in model.parameters() if w.grad is not None])))
    for kept, again in zip(*ends, strict=True):
        torch.testing.assert_close(kept, again, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("within", [False, True], ids=["compiled", "compiled-in-place"])
def test_a_compiled_model_is_melted(within: bool) -> None:
    plain, own = net(dropout=0.0), net(dropout=0.0)
    if within:
        own.compile(backend="aot_eager")
    compiled: Any = own if within else torch.compile(own, backend="aot_eager")
    ends = []
    for model in (plain, compiled):
        melt = melt_of(model, every=1)
        moved(melt, torch.enable_grad)
        ends.append((phi(melt), flat(list(model.parameters()))))
    for wanted, found in zip(*ends, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0.0, atol=2e-3)


def test_a_loss_of_a_frozen_part_counts_and_trains_nothing() -> None:
    model = net(dropout=0.0)
    loss = melt_of(model)(
        {"which": model.head.bias.sum(), "size": torch.ones(()), "noise": torch.zeros(())}
    )
    loss.backward()
    assert isinstance(model.head, nn.Linear)
    assert model.body.weight.grad is None
    assert model.head.bias.grad is not None
