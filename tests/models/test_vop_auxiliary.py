"""VoP with losses beside the contrastive one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from contracts import test_melting_models as melting
from models.small_prompts import FRAMES, SMALL, VARIANTS, ragged, shake
from oracles.slow_auxiliary import slow_distillation, slow_hardest_matching
from reeltune.models._vop_auxiliary import Auxiliary
from reeltune.models.opening.open import open_model
from reeltune.models.vop import Config, Taught, Vop
from reeltune.training.contrasted import is_contrasted
from reeltune.types import Batch

ALL: tuple[Auxiliary, ...] = get_args(Auxiliary)
LENGTHS = (4, 2, 1, 3)


def model_with(*auxiliary: Auxiliary) -> Vop:
    torch.manual_seed(0)
    prompts = VARIANTS["F+P"]
    model = Config(
        base=None, architecture=SMALL, prompts=prompts, frames=FRAMES, auxiliary=auxiliary
    ).build()
    shake(model.clip)
    shake(model.text, 1)
    shake(model.video, 2)
    return model


def batch_for(model: Vop, video: tuple[int, ...] = (0, 1, 2, 1)) -> Batch:
    tokens = model.tokenize(["rain", "two dogs run", "a man plays", "some dogs"])
    return Batch(*ragged(*LENGTHS), tokens, torch.tensor(video))


def test_without_auxiliary_losses_training_is_as_it_was_to_the_bit() -> None:
    plain, taught = model_with(), model_with(*ALL)
    assert type(plain) is Vop
    assert plain.trained().keys() == taught.trained().keys() - {"order.weight", "order.bias"}
    assert plain.losses(batch_for(plain)).keys() == {"contrastive"}
    found = [model.losses(batch_for(model))["contrastive"] for model in (plain, taught)]
    assert torch.equal(*found)


def test_prompts_start_alike_with_and_without_them() -> None:
    begun = []
    for auxiliary in ((), ALL):
        torch.manual_seed(3)
        begun.append(Config.tiny().model_copy(update={"auxiliary": auxiliary}).build())
    for name, weight in begun[0].named_parameters():
        assert torch.equal(weight, dict(begun[1].named_parameters())[name]), name


@pytest.mark.parametrize("auxiliary", [(), ("matching",), ("order",), ("distillation",), ALL])
def test_losses_are_those_that_are_named_and_only_those_of_vectors_are_contrasted(
    auxiliary: tuple[Auxiliary, ...],
) -> None:
    model = model_with(*auxiliary)
    assert model.losses(batch_for(model)).keys() == {"contrastive", *auxiliary}
    assert is_contrasted(model) == (not {"order", "distillation"} & {*auxiliary})
    assert isinstance(model, Taught) != is_contrasted(model)


@torch.no_grad()
def test_matching_and_distillation_are_those_of_loops() -> None:
    model = model_with(*ALL)
    batch = batch_for(model)
    scale = float(model.logit_scale.clamp(max=4.6052).exp())
    text, video = model.encode_text(batch.tokens), model.encode_video(batch.frames, batch.mask)
    frozen = model.clip
    taught = frozen.encode_text(batch.tokens) @ frozen.encode_video(batch.frames, batch.mask).T
    logits = (scale * (text @ video.T)).double().tolist()
    losses = model.losses(batch)
    wanted = slow_hardest_matching(logits, batch.video.tolist())
    assert float(losses["matching"]) == pytest.approx(wanted, rel=1e-4)
    wanted = slow_distillation(logits, (scale * taught).double().tolist())
    assert float(losses["distillation"]) == pytest.approx(wanted, rel=1e-4)


def test_the_frozen_teacher_gets_no_gradient_and_prompts_and_head_get_one_from_each_loss() -> None:
    model = model_with(*ALL)
    for name in ALL:
        model.zero_grad()
        model.losses(batch_for(model))[name].backward()
        moved = {n for n, w in model.named_parameters() if w.grad is not None and w.grad.any()}
        assert not [one for one in moved if one.startswith("clip.")]
        assert any(one.startswith("video.") for one in moved), name
        assert ("order.weight" in moved) == (name == "order")
        assert any(one.startswith("text.") for one in moved) == (name != "order")


def test_the_head_learns_the_order_of_frames() -> None:
    """A prompted tower that sees all frames at once can tell a dark half before a light one."""
    model = model_with("order")
    size = SMALL.image
    dark, light = torch.full((2, 3, size, size), 20), torch.full((2, 3, size, size), 230)
    frames = torch.cat([dark, light]).byte().expand(8, -1, -1, -1, -1)
    tokens = model.tokenize(["rain"] * 8)
    batch = Batch(frames, torch.ones(8, 4).bool(), tokens, torch.arange(8))
    optimizer = torch.optim.Adam([w for w in model.parameters() if w.requires_grad], 3e-2)
    costs = []
    for _ in range(30):
        loss = model.losses(batch)["order"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        costs.append(float(loss.detach()))
    assert sum(costs[-5:]) / 5 < 0.2 < costs[0]


def test_a_saved_model_opens_with_its_head(tmp_path: Path) -> None:
    model = model_with(*ALL)
    model.save_pretrained(tmp_path)
    again = open_model(str(tmp_path), device="cpu")
    assert again.fingerprint == model.fingerprint
    for name, weight in model.trained().items():
        assert torch.equal(again.trained()[name], weight), name


@pytest.fixture
def tiny() -> Any:
    torch.manual_seed(0)
    return Config.tiny().model_copy(update={"auxiliary": ALL}).build().train()


@pytest.fixture
def double(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    return tiny.double()


@pytest.mark.parametrize(
    "promise",
    [
        melting.test_every_step_logs_each_loss_that_the_model_names_and_no_other,
        melting.test_meltr_that_sums_trains_as_the_models_own_step,
        melting.test_differences_in_float32_find_the_slopes,
    ],
)
def test_named_losses_plug_into_every_combiner(tiny: Any, promise: Callable[[Any], None]) -> None:
    promise(tiny)


def test_meta_steps_that_learn_nothing_are_the_plain_sum(tiny: Any) -> None:
    melting.test_meta_steps_that_learn_nothing_are_the_plain_sum_to_the_bit(
        tiny, "aid-fp-lite", "cpu"
    )


@pytest.mark.parametrize("way", melting.CLOSE)
def test_the_hypergradient_is_how_meltr_turns_the_gradient(double: Any, way: Any) -> None:
    melting.test_the_hypergradient_is_how_meltr_turns_the_gradient(double, way)
    melting.test_the_hypergradient_is_that_of_double_backward(double, way)
