"""The optimizer: what it holds, what it decays, and how fast it goes."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from small_run import prompted, unfrozen
from torch import nn

from reeltune.errors import ConfigError
from reeltune.models import clip, dual_encoding, tuned
from reeltune.training.optim import learning_rate, optimizer_of, trainable
from reeltune.training.settings import Settings

SETTINGS = Settings(lr=0.5, weight_decay=0.2)


@pytest.mark.parametrize("name", ["lr", "weight_decay"])
def test_no_weight_changes_by_more_than_a_number_can_hold(name: str) -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1000000"):
        Settings(**{name: 1e300})
    with pytest.raises(ValidationError, match="less than or equal to 1000000"):
        Settings(rates={"lstm": 1e300})


def decayed(model: nn.Module) -> tuple[set[str], set[str]]:
    """Names of the weights that the optimizer decays, and of those it does not."""
    names = {id(weight): name for name, weight in model.named_parameters()}
    groups = optimizer_of(model, SETTINGS).param_groups
    assert [group["weight_decay"] for group in groups] == [0.2, 0.0]
    with_decay, without = ({names[id(w)] for w in group["params"]} for group in groups)
    assert not with_decay & without
    return with_decay, without


def test_prompts_are_not_decayed_and_the_lstm_that_makes_some_is() -> None:
    with_decay, without = decayed(prompted())
    maker = "video.alone_prompts.context."
    assert with_decay == {
        f"{maker}lstm.weight_{kind}_l0{way}" for kind in ("ih", "hh") for way in ("", "_reverse")
    } | {f"{maker}linear.weight"}
    assert {name for name in without if not name.startswith(maker)} == {
        *(name for name in without if name.startswith("text.")),
        "video.alone_prompts.position.table",
        "video.joint.table",
        "video.joint.position",
    }
    assert any(name.startswith("text.") for name in without)
    assert all("bias" in name for name in without if name.startswith(maker))


def test_biases_norms_tables_and_the_temperature_are_not_decayed() -> None:
    with_decay, without = decayed(unfrozen())
    assert all(name.endswith("weight") for name in with_decay)
    assert not any(
        "norm" in name or "embedding.weight" in name.replace("patch_embedding", "")
        for name in with_decay
    )
    assert "clip.towers.logit_scale" in without
    assert any(name.endswith("patch_embedding.weight") for name in with_decay)
    assert any(name.endswith("q_proj.weight") for name in with_decay)
    assert {name for name in without if name.endswith("bias")}
    assert {name for name in without if "norm" in name and name.endswith("weight")}


@pytest.mark.parametrize(
    ("layer", "matrices"),
    [
        (nn.GRU(2, 3, bidirectional=True), 4),
        (nn.LSTM(2, 3, num_layers=2), 4),
        (nn.RNN(2, 3), 2),
        (nn.Conv1d(2, 3, 2), 1),
    ],
)
def test_matrices_of_every_recurrent_and_convolution_layer_are_decayed(
    layer: nn.Module, matrices: int
) -> None:
    with_decay, without = decayed(nn.ModuleList([layer]))
    assert len(with_decay) == matrices
    assert all(name.startswith("0.weight") for name in with_decay)
    assert all(name.startswith("0.bias") for name in without)


def test_dual_encoding_decays_its_grus_and_convolutions_but_no_word() -> None:
    with_decay, without = decayed(dual_encoding.Config.tiny().build())
    assert "video.levels.gru.weight_ih_l0" in with_decay
    assert "text.levels.convs.0.weight" in with_decay
    assert "text.embedding.weight" in without


def test_frozen_weights_are_not_in_the_optimizer() -> None:
    model = prompted()
    held = {id(w) for group in optimizer_of(model, SETTINGS).param_groups for w in group["params"]}
    assert held == {id(weight) for weight in model.trained().values()}
    assert trainable(model).keys() == model.trained().keys()


def test_a_model_without_a_trainable_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no weight of this model is trainable; evaluate it"):
        optimizer_of(clip.Config.tiny().build().requires_grad_(False), SETTINGS)


@pytest.mark.parametrize("method", [m for m in tuned.METHODS if m not in ("none", "lora")])
def test_every_trained_weight_of_every_way_is_held_once(method: tuned.Method) -> None:
    config = tuned.Config(base=None, architecture=clip.Config.tiny(), method=method, hidden=4)
    model = config.build()
    with_decay, without = decayed(model)
    assert with_decay | without == model.trained().keys()


def test_a_weight_has_the_rate_of_the_pattern_that_is_a_part_of_its_name() -> None:
    model = prompted()
    names = {id(weight): name for name, weight in model.named_parameters()}
    settings = Settings(lr=0.5, weight_decay=0.2, rates={"lstm": 3e-4, "joint": 0.0})
    for group in optimizer_of(model, settings).param_groups:
        found = {names[id(weight)] for weight in group["params"]}
        pattern = group["called"]
        assert group["lr"] == {"lstm": 3e-4, "joint": 0.0, "": 0.5}[pattern]
        assert all(pattern in name for name in found)
        assert pattern or not any("lstm" in name or "joint" in name for name in found)
    held = [id(w) for group in optimizer_of(model, settings).param_groups for w in group["params"]]
    assert sorted(held) == sorted(id(weight) for weight in model.trained().values())


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (
            {"lstn": 1e-3},
            r"training\.rates gives a rate to 'lstn', which is no part of the name of a trainable "
            r"weight; these are text\..* and \d+ more$",
        ),
        (
            {"lstm": 1e-3, "weight": 1e-4},
            r"training\.rates gives video\..*lstm.* several rates, by lstm and by weight; let one "
            r"pattern alone be a part of its name$",
        ),
    ],
)
def test_patterns_that_match_nothing_or_twice_are_refused(
    rates: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        optimizer_of(prompted(), Settings(rates=rates))


@given(st.integers(1, 500), st.floats(0, 0.9))
def test_the_rate_warms_up_linearly_and_falls_as_a_cosine(steps: int, share: float) -> None:
    settings = Settings(warmup=share)
    rates = [learning_rate(step, steps, settings, 0.5) for step in range(steps)]
    warm = math.ceil(share * steps)
    for step, rate in enumerate(rates):
        if step < warm:
            assert rate == pytest.approx(0.5 * (step + 1) / warm)
        else:
            done = (step - share * steps) / (steps - share * steps)
            assert rate == pytest.approx(0.25 * (1 + math.cos(math.pi * done)))
    assert all(0 < rate <= 0.5 for rate in rates)
    assert rates[:warm] == sorted(rates[:warm])
    assert rates[warm:] == sorted(rates[warm:], reverse=True)


def test_the_rate_of_ten_steps_by_hand() -> None:
    settings = Settings(warmup=0.2)
    rates = [learning_rate(step, 10, settings, 1.0) for step in range(11)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[6] == pytest.approx(0.5)
    assert rates[10] == pytest.approx(0)


def test_settings_are_frozen_and_closed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().lr = 1.0
    with pytest.raises(ValidationError, match="learning_rate"):
        Settings.model_validate({"learning_rate": 1})
    for wrong in (
        {"batch": 0},
        {"lr": -1},
        {"warmup": 1.5},
        {"precision": "fp16"},
        {"chunk": 0},
        {"rates": {"": 1}},
    ):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            Settings.model_validate(wrong)


def test_the_rate_may_fall_along_a_line() -> None:
    settings = Settings(warmup=0.2, schedule="linear")
    rates = [learning_rate(step, 10, settings, 1.0) for step in range(10)]
    assert rates == pytest.approx([0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])


def test_the_rate_may_fall_in_steps() -> None:
    settings = Settings(warmup=0.0, schedule="steps")
    rates = [learning_rate(epoch, 120, settings, 0.1) for epoch in (0, 79, 80, 99, 100, 119)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_sgd_is_nesterovs_momentum_with_decay_of_matrices_alone() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = optimizer_of(model, Settings(optimizer="sgd", lr=0.1, weight_decay=0.5))
    wanted = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    speed = {name: torch.zeros_like(weight) for name, weight in wanted.items()}
    for _ in range(3):
        for name, weight in model.named_parameters():
            weight.grad = torch.randn_like(weight)
            slope = weight.grad + (0.5 * wanted[name] if name == "weight" else 0)
            speed[name] = 0.9 * speed[name] + slope
            wanted[name] = wanted[name] - 0.1 * (slope + 0.9 * speed[name])
        optimizer.step()
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.detach(), wanted[name])
