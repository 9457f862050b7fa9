"""One forward pass serves training and the meta step: the same numbers, fewer passes."""

import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_problems import Backbone, ids, melter, problem
from test_meltr_step import TASKS, Model, batch_of, step_of
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from oracles.slow_hypergradient import flat, melted
from reeltune.errors import ConfigError
from reeltune.meltr.derivatives import ahead, along
from reeltune.meltr.hypergradient import hypergradient
from reeltune.meltr.losses import Losses, Taken
from reeltune.meltr.schemes import aid_fp_lite, conjugate_gradient
from reeltune.meltr.vectors import plus
from reeltune.types import Batch


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(3)


def backbone_problem(**settings: Any) -> Any:
    """In float64, with dropout, BatchNorm and checkpoints."""
    model = Backbone(dropout=0.3).double().train()
    return problem(model, melter(), [ids()], ids(), gamma=0.2, direct_term=True, **settings)


@pytest.mark.parametrize("scheme", [aid_fp_lite.aid_fp_lite, None], ids=["lite", "cg"])
def test_the_hypergradient_is_the_same_with_trainings_own_losses(scheme: Any) -> None:
    solve = scheme or conjugate_gradient.Config(steps=2, damping=1.0).build().hypergradient
    task = backbone_problem()
    wanted = flat(solve(task).gradient)
    shared = replace(task, along="difference", here=Taken(task.lower[0]))
    got = flat(solve(shared).gradient)
    torch.testing.assert_close(got, wanted, rtol=0.0, atol=1e-5 * float(wanted.abs().max()))
    assert not torch.equal(got, wanted)


def test_trainings_own_losses_are_those_of_the_paired_pass() -> None:
    task = backbone_problem()
    lower = task.lower[0]
    with torch.no_grad():
        wanted = lower.at(task.weights, torch.stack)
    again = torch.stack(lower.here())
    torch.testing.assert_close(again, wanted, rtol=1e-12, atol=0.0)
    assert int(lower.model.norm.num_batches_tracked) == 1, "training updates statistics, once"


class Counted(Model):
    """Counts its forward passes."""

    passes = 0

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        self.passes += 1
        return super().losses(batch)


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        ({"gamma": 0.0}, 3),
        ({"regularise": "upper"}, 3),
        ({"regularise": "lower"}, 4),
        ({"gamma": 0.0, "along": "vjp"}, 3),
        ({"gamma": 0.0, "precision": "bf16"}, 4),
    ],
    ids=["difference", "upper", "lower", "vjp", "bf16"],
)
def test_a_step_with_a_meta_step_makes_as_few_passes_as_it_can(
    settings: dict[str, Any], passes: int
) -> None:
    """The upper batch, one step ahead, and training; a regulariser on the lower batch is one more,
    and losses in bfloat16 are too coarse to share."""
    model = Counted()
    step = step_of(model, every=1, **settings)
    step(batch_of(0))
    assert model.passes == 1
    facts = step(batch_of(1))
    assert model.passes == 1 + passes
    assert facts["meta gradient"] > 0


def test_training_after_a_meta_step_follows_the_moved_meltr() -> None:
    model = Model(dropout=0.0)
    step = step_of(model, every=1, lr=0.05)
    step(batch_of(0))
    model.zero_grad()
    facts = step(batch_of(1))
    value = melted(model, batch_of(1), step.combiner)
    weights = [w for w in model.parameters() if w.requires_grad]
    torch.testing.assert_close(
        flat([w.grad for w in weights if w.grad is not None]),
        flat(torch.autograd.grad(value, weights)),
    )
    assert facts["loss"] == pytest.approx(value.item(), rel=1e-5)


def test_no_gradient_is_held_while_training_builds_its_graph() -> None:
    """Both are large: the peak of memory stays that of training alone."""
    task = backbone_problem()
    held: list[weakref.ref[Tensor]] = []
    alive: list[bool] = []

    class Watched(Taken):
        def __call__(self) -> list[Tensor]:
            alive.append(any(one() is not None for one in held))
            return super().__call__()

    def solve(v: dict[str, Tensor]) -> dict[str, Tensor]:
        held.extend(weakref.ref(tensor) for tensor in v.values())
        return v

    hypergradient(replace(task, along="difference", here=Watched(task.lower[0])), solve)
    assert alive == [False]
    assert held


def test_a_step_ahead_takes_the_place_of_its_direction() -> None:
    task = backbone_problem()
    direction = {name: torch.randn_like(w) for name, w in task.weights.items()}
    parts = [weakref.ref(tensor) for tensor in direction.values()]
    kept = {name: tensor.clone() for name, tensor in direction.items()}
    alive: list[bool] = []

    class Watched(Losses):
        def at(self, *arguments: Any, **settings: Any) -> Any:
            alive.append(any(part() is not None for part in parts))
            return super().at(*arguments, **settings)

    lower = task.lower[0]
    watched = Watched(lower.model, lower.batch, lower.tasks, draw=lower.draw)
    moved, step = ahead(watched, task.weights, direction)
    assert alive == [False]
    with torch.no_grad():
        wanted = lower.at(plus(task.weights, kept, step), torch.stack)
    assert torch.equal(moved, wanted)


def test_a_pass_is_made_once_and_timed() -> None:
    model = Counted()
    taken = Taken(Losses(model, batch_of(0), TASKS))
    assert taken.seconds == 0
    assert taken() is taken()
    assert model.passes == 1
    assert taken.seconds > 0


class Packed(nn.Module):
    """Its rows are packed, which has no forward mode."""

    primary = "match"

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def losses(self, batch: list[Tensor]) -> dict[str, Tensor]:
        return {"match": pack_sequence([self.scale * row for row in batch]).data.square().mean()}


def test_a_model_without_forward_mode_is_told_of_the_other_ways() -> None:
    model = Packed()
    losses = Losses(model, [torch.ones(2, 3), torch.ones(1, 3)], ("match",))
    weights = {"scale": model.scale}
    with pytest.raises(ConfigError, match=r"along is jvp.*pack.*set it to difference or vjp"):
        along(losses, weights, {"scale": torch.ones(3)}, "jvp")
    for way in ("difference", "vjp"):
        _, slopes = along(losses, weights, {"scale": torch.ones(3)}, way)
        torch.testing.assert_close(slopes, torch.tensor([2.0]), rtol=1e-4, atol=0.0)
