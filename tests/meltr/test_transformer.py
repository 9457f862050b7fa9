"""MELTR as a module: the release's sizes and names, its parts, its starts, its file."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from small_problems import TASKS, melter, weighted
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.meltr import combiner as files
from reeltune.meltr import linear
from reeltune.meltr.transformer import RELEASED, Config, regulariser
from reeltune.meltr.warm_start import warm_start

KEYS = {
    "task_embedding.weight",
    *(f"{name}.{part}" for name in ("loss_fc1", "loss_fc2") for part in ("weight", "bias")),
    *(f"encoder.self_attn.in_proj_{part}" for part in ("weight", "bias")),
    *(
        f"encoder.{name}.{part}"
        for name in ("self_attn.out_proj", "linear1", "linear2", "norm1", "norm2")
        for part in ("weight", "bias")
    ),
    "fc1.weight",
}


def names(count: int) -> tuple[str, ...]:
    return tuple(f"loss {number}" for number in range(count))


@pytest.mark.parametrize(
    ("backbone", "tasks", "parameters"),
    [
        ("univl", 8, 562_688),
        ("violet-retrieval", 3, 1_712_128),
        ("violet-qa", 4, 430_336),
        ("all-in-one", 2, 116_736),
    ],
)
def test_sizes_and_names_are_those_of_the_release(
    backbone: str, tasks: int, parameters: int
) -> None:
    module = Config(tasks=names(tasks), **RELEASED[backbone]).build()
    assert sum(p.numel() for p in module.parameters()) == parameters
    assert set(module.state_dict()) == KEYS


def test_it_is_equation_5_written_out() -> None:
    """Every matrix product by hand, from the state dict."""
    module = melter()
    p, losses = module.state_dict(), torch.tensor([0.3, 2.0, 7.0]).double()
    hidden = (losses[:, None] @ p["loss_fc1.weight"].T + p["loss_fc1.bias"]).relu()
    x = hidden @ p["loss_fc2.weight"].T + p["loss_fc2.bias"] + p["task_embedding.weight"]
    q, k, v = (
        x @ p["encoder.self_attn.in_proj_weight"].T + p["encoder.self_attn.in_proj_bias"]
    ).split(16, 1)
    heads = [
        (q[:, h] @ k[:, h].T / 8**0.5).softmax(1) @ v[:, h] for h in (slice(0, 8), slice(8, 16))
    ]
    out = torch.cat(heads, 1) @ p["encoder.self_attn.out_proj.weight"].T
    x = x + out + p["encoder.self_attn.out_proj.bias"]
    x = F.layer_norm(x, (16,), p["encoder.norm1.weight"], p["encoder.norm1.bias"])
    y = (x @ p["encoder.linear1.weight"].T + p["encoder.linear1.bias"]).relu()
    x = x + y @ p["encoder.linear2.weight"].T + p["encoder.linear2.bias"]
    x = F.layer_norm(x, (16,), p["encoder.norm2.weight"], p["encoder.norm2.bias"])
    wanted = (x.mean(0) @ p["fc1.weight"].T).squeeze()
    torch.testing.assert_close(module(losses), wanted, rtol=1e-12, atol=1e-12)


def test_scale_embedding_alone_ignores_which_loss_it_is() -> None:
    module = melter(task=False)
    losses = torch.tensor([1.0, 2.0, 3.0]).double()
    assert "task_embedding.weight" not in module.state_dict()
    torch.testing.assert_close(module(losses), module(losses.flip(0)))
    full = melter()
    assert not torch.isclose(full(losses), full(losses.flip(0)))


def test_task_embedding_alone_gives_the_weights_no_gradient() -> None:
    """Why Table 10 has no figure for it."""
    module = melter(scale=False)
    assert not any(name.startswith("loss_fc") for name in module.state_dict())
    assert files.slopes(module, torch.ones(3).double()).tolist() == [0, 0, 0]


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("backend", [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH])
def test_it_has_a_second_derivative_in_both_modes(mode: str, backend: SDPBackend) -> None:
    module = Config(tasks=TASKS).build().train(mode == "train")
    losses = torch.ones(3, requires_grad=True)
    with sdpa_kernel([backend, SDPBackend.MATH]):
        (first,) = torch.autograd.grad(module(losses), losses, create_graph=True)
        second = torch.autograd.grad(first.sum(), module.fc1.weight)
    assert second[0].abs().sum() > 0


def test_the_regulariser_is_the_distance_from_the_sum_of_all_losses() -> None:
    losses = torch.tensor([1.0, 2.0, 3.0])
    assert regulariser(torch.tensor(-1.5), losses) == 7.5
    assert regulariser(torch.tensor(8.0), losses) == 2.0


def test_residual_and_softplus() -> None:
    losses = torch.tensor([1.0, 2.0, 3.0]).double()
    plain, residual, positive = melter(), melter(residual=True), melter(softplus=True)
    residual.load_state_dict(plain.state_dict())
    positive.load_state_dict(plain.state_dict())
    torch.testing.assert_close(residual(losses), plain(losses) + 6)
    torch.testing.assert_close(positive(losses), F.softplus(plain(losses)))
    assert positive(losses) > 0


def test_robust_starts_are_off() -> None:
    config = Config(tasks=TASKS)
    assert (config.residual, config.softplus) == (False, False)


def test_warm_start_makes_it_the_sum() -> None:
    """From small losses to typical ones each then counts once, where at random none does."""
    torch.manual_seed(0)
    module = Config(tasks=TASKS, width=32, scale_width=32, feedforward=32).build()
    typical = torch.tensor([1.0, 0.1, 4.0])
    module.eval()
    before, drawn = files.slopes(module, typical), torch.get_rng_state()
    warm_start(module, typical)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert (before - 1).abs().max() > 0.8
    for losses in (typical, 0.3 * typical):
        assert (files.slopes(module, losses) - 1).abs().max() < 0.2
        assert module(losses).item() == pytest.approx(losses.sum().item(), abs=0.3)
    assert all(p.grad is None for p in module.parameters())


def test_what_has_no_slopes_cannot_start_warm() -> None:
    with pytest.raises(ConfigError, match=r"with sizes\.scale=false it has none; leave"):
        warm_start(Config(tasks=TASKS, scale=False).build(), torch.ones(3))


def test_linear_combiner_starts_as_the_sum_and_its_slopes_are_its_weights() -> None:
    losses = torch.tensor([1.0, 2.0, 3.0])
    assert linear.Config(tasks=TASKS).build()(losses) == 6
    assert files.slopes(weighted(), losses.double()).tolist() == [1.0, 0.5, 2.0]


def test_settings_are_closed() -> None:
    with pytest.raises(ValidationError, match="no_such"):
        Config(tasks=TASKS, no_such=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"scale": False, "task": False},
            r"sizes\.scale and meltr\.sizes\.task are.*switch on",
        ),
        ({"width": 20}, r"width is 20, which 8 heads do not divide; give .*sizes\.width=24"),
        ({"tasks": ("a", "a")}, r"melt \['a', 'a'\]; name each loss.*once"),
        ({"tasks": ()}, r"melt \[\]; name each loss.*tasks of its Config"),
    ],
)
def test_sizes_that_do_not_fit_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(**({"tasks": TASKS} | settings)).build()


def test_losses_are_taken_in_the_order_of_the_tasks() -> None:
    named = {name: torch.tensor(float(i)) for i, name in enumerate(reversed(TASKS))}
    assert [float(x) for x in files.ordered(named, TASKS)] == [2, 1, 0]
    with pytest.raises(DataError, match=r"gave the losses \['a'\], but the combiner .*same names"):
        files.ordered({"a": torch.tensor(1.0)}, TASKS)


@pytest.mark.parametrize("make", [melter, weighted])
def test_a_file_gives_back_weights_sizes_and_names(make: Any, tmp_path: Path) -> None:
    module, path = make().float(), tmp_path / "folder" / "meltr.safetensors"
    files.save(module, path)
    again = files.load(path, TASKS)
    assert again.config == module.config
    assert all(torch.equal(t, again.state_dict()[n]) for n, t in module.state_dict().items())
    assert [p.name for p in path.parent.iterdir()] == ["meltr.safetensors"]


def test_a_file_of_other_losses_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meltr.safetensors"
    files.save(melter().float(), path)
    turned = (TASKS[1], TASKS[0], TASKS[2])
    with pytest.raises(CheckpointError, match=r"\['primary', 'second'.*wanted are \['second'"):
        files.load(path, turned)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "meltr.safetensors"
    with pytest.raises(CheckpointError, match=r"meltr\.safetensors cannot be read.*a run wrote"):
        files.load(path)
    save_file({"x": torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match=r"cannot be read.*'meltr'"):
        files.load(path)


def test_a_file_with_other_sizes_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meltr.safetensors"
    save_file({"weight": torch.ones(5)}, path, {"meltr": weighted().config.model_dump_json()})
    assert load_file(path)["weight"].shape == (5,)
    with pytest.raises(CheckpointError, match=r"does not fit its own sizes \(size mismatch.*anew"):
        files.load(path)
