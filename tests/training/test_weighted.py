"""The step of a weighting: gradients, draws, resuming, and errors; of every file in the folder."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from weighed_losses import ALL, TASKS, Model, batch_of, model_of, step_of

from reeltune.errors import ConfigError, DataError
from reeltune.registry import find
from reeltune.training.settings import Settings, require_read
from reeltune.training.step import Following, Reporting, Stateful, Step, Sum
from reeltune.training.weighted import Weighted

DRAWING = {"pcgrad", "random-weights"}  # draw themselves


@pytest.fixture(params=ALL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_folder_says_which_weightings_there_are(name: str) -> None:
    module = find("training.weightings", name)
    assert module.__doc__
    assert module.Config.model_config["extra"] == "forbid"


def test_it_is_a_step_of_the_loop_that_follows_and_is_resumed(name: str) -> None:
    step = step_of(model_of(), name)
    assert all(isinstance(step, kind) for kind in (Step, Following, Reporting, Stateful))


def test_gradients_are_those_of_the_losses_by_their_slopes_and_add_up(name: str) -> None:
    model, batch = model_of(), batch_of(0)
    step = step_of(model, name)
    torch.manual_seed(5)
    facts = [step(batch, share) for share in (0.25, 0.75)]
    assert all(isinstance(value, float) for value in facts[0].values())
    again, wanted = model_of(), [torch.zeros_like(w) for w in model.parameters()]
    torch.manual_seed(5)
    for share, said in zip((0.25, 0.75), facts, strict=True):
        losses = again.losses(batch)
        if name in DRAWING:
            break
        total = sum(share * said[f"slope {task}"] * losses[task] for task in TASKS)
        found = torch.autograd.grad(total, [*again.parameters()], materialize_grads=True)
        wanted = [w + g for w, g in zip(wanted, found, strict=True)]
        assert [said[task] for task in TASKS] == pytest.approx([losses[t].item() for t in TASKS])
    else:
        for weight, gradient in zip(model.parameters(), wanted, strict=True):
            got = torch.zeros_like(weight) if weight.grad is None else weight.grad
            torch.testing.assert_close(got, gradient, rtol=1e-4, atol=1e-6)


def train(step: Weighted, numbers: range, log: list[dict[str, float]], moved: Any) -> None:
    for number in numbers:
        log.append(step(batch_of(number)))
        moved.step()
        moved.zero_grad()
        step.updated()
        if number % 4 == 3:
            step.end_epoch()


def run(model: Model) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), 0.1)


def test_a_resumed_run_goes_on_as_if_it_had_not_been_stopped(name: str, tmp_path: Path) -> None:
    """Stopped within an epoch; state is flat tensors, as the loop stores it."""
    model, alone = model_of(), list[dict[str, float]]()
    step = step_of(model, name)
    train(step, range(10), alone, run(model))
    save_file({n: t.clone() for n, t in step.state_dict().items()}, tmp_path / "state")
    weights, draws = {n: t.clone() for n, t in model.state_dict().items()}, torch.get_rng_state()
    train(step, range(10, 18), alone, run(model))

    other, resumed = model_of(1), list[dict[str, float]]()
    fresh = step_of(other, name)
    other.load_state_dict(weights)
    fresh.load_state_dict(load_file(tmp_path / "state"))
    torch.set_rng_state(draws)
    train(fresh, range(10, 18), resumed, run(other))
    assert resumed == alone[10:]
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[key]), key


def test_a_state_before_the_first_step_can_be_resumed(name: str) -> None:
    step = step_of(model_of(), name)
    step.load_state_dict(step.state_dict())
    assert step(batch_of(0)).keys() == {"loss", *TASKS, *(f"slope {task}" for task in TASKS)}


def test_training_draws_and_keeps_statistics_as_the_plain_sum_does(name: str) -> None:
    if name in DRAWING:
        pytest.skip("it draws itself")
    found = []
    for make in (lambda model: step_of(model, name), Sum):
        model = model_of()
        step = make(model)
        torch.manual_seed(5)
        step(batch_of(0))
        if isinstance(step, Weighted):
            step.updated()
        found.append((model.norm.running_mean, torch.get_rng_state()))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_a_weighting_has_the_precision_and_the_device_of_the_weights(name: str) -> None:
    for model in (model_of().double(), model_of().bfloat16()):
        step = step_of(model, name)
        wanted = torch.float64 if model.unused.dtype == torch.float64 else torch.float32
        kept = [t for t in step.weighting.state_dict().values() if t.is_floating_point()]
        assert {tensor.dtype for tensor in kept} <= {wanted}


def test_what_a_weighting_learns_changes_its_slopes() -> None:
    for name in ("uncertainty", "imtl-l", "famo", "gradnorm", "aligned", "dwa"):
        options = {} if name == "dwa" else {"lr": 0.1}
        model, log = model_of(), list[dict[str, float]]()
        train(step_of(model, name, **options), range(12), log, run(model))
        assert log[0]["slope size"] != pytest.approx(log[-1]["slope size"], rel=1e-3), name


class Negative(Model):
    def losses(self, batch: Any) -> dict[str, Tensor]:
        return super().losses(batch) | {"length": -self.head.weight.square().sum()}


def test_a_weight_that_is_no_number_names_its_loss() -> None:
    model = Negative().train()
    step = step_of(model, "famo")
    with pytest.raises(
        DataError, match=r"the weighting makes \[nan, .*\] of the losses .*length -"
    ):
        step(batch_of(0))


def test_a_weighting_that_looks_at_held_out_data_is_refused_without() -> None:
    built = find("training.weightings", "aligned").Config().build(TASKS)
    with pytest.raises(ConfigError, match=r"looks at the primary loss on held-out data, and there"):
        Weighted(model_of(), built, TASKS)


@pytest.mark.parametrize("name", ["uncertainty", "upgrad"])
def test_without_torchjd_the_command_that_installs_it_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [one for one in sys.modules if one.partition(".")[0] == "torchjd"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torchjd", None)
    with pytest.raises(ConfigError, match=r"pip install 'reeltune\[torchjd\]'$"):
        find("training.weightings", name).Config().build(TASKS)


def test_settings_of_a_weighting_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"no weighting named 'famous'; there are: aligned, cagr"):
        Settings(combine="famous").weighting(TASKS)
    with pytest.raises(ConfigError, match=r"no setting training\.combine_options\.rate; did|there"):
        Settings(combine="famo", combine_options={"rate": 1}).weighting(TASKS)
    alone = Settings(combine_options={"lr": 1})
    with pytest.raises(ConfigError, match=r"combine_options is .*, which is not read where losses"):
        require_read(alone, Weighted.reads, True)
    with pytest.raises(ConfigError, match=r"training\.combine is famo, which is not read by the"):
        require_read(Settings(combine="famo"), Sum.reads, True)


def test_a_model_whose_losses_are_named_otherwise_is_refused() -> None:
    model = model_of()
    step = step_of(model, "famo")
    model.losses = lambda batch: {"match": model.head.weight.sum()}  # type: ignore[method-assign]
    with pytest.raises(DataError, match=r"the model gave the losses \['match'\]"):
        step(batch_of(0))


def test_modules_of_weightings_are_weights_of_no_model() -> None:
    """The optimizer of the model does not move them."""
    model = model_of()
    step_of(model, "uncertainty")
    assert isinstance(model, nn.Module)
    assert not any("log_var" in name for name, _ in model.named_parameters())
