"""What MELTR asks of a model, of every file in models/ that names losses and trains weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from oracles.slow_hypergradient import double_backward, flat
from reeltune.errors import ConfigError
from reeltune.meltr import linear, transformer
from reeltune.meltr.combiner import Total
from reeltune.meltr.derivatives import Along, along
from reeltune.meltr.hypergradient import Problem
from reeltune.meltr.losses import Losses
from reeltune.meltr.outer import HeldOut
from reeltune.meltr.scheme import Scheme
from reeltune.meltr.schemes import aid_fp_lite, multi_task
from reeltune.meltr.settings import Settings
from reeltune.meltr.step import Meltr
from reeltune.meltr.vectors import dot
from reeltune.registry import find, names
from reeltune.training.contrasted import is_contrasted
from reeltune.training.step import Contrast, Sum
from reeltune.types import Batch

TEXTS = ["a red square", "first a golden box moves left, then a disc spins", "two dogs"]
LENGTHS = [4, 1, 3]  # real frames of three videos
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=names("models"))
def model(request: pytest.FixtureRequest, device: str) -> Any:
    """In training mode: dropout and BatchNorm are what makes a meta step hard."""
    if not melts(request.param):
        pytest.skip(f"{request.param} names no losses, or every weight is frozen")
    torch.manual_seed(0)
    return tiny(request.param).to(device).train()


def tiny(name: str) -> Any:
    return find("models", name).Config.tiny().build()


@cache  # or else each test would build those that it skips
def melts(name: str) -> bool:
    return hasattr(built := tiny(name), "losses") and bool(trained(built))


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: w for name, w in model.named_parameters() if w.requires_grad}


def batch_for(model: Any, seed: int) -> Batch:
    """Three videos of noise, as features where the model reads them, and what its losses want."""
    source, size = torch.Generator().manual_seed(seed), model.pixels.size
    shape = (len(LENGTHS), max(LENGTHS))
    width, dtype = getattr(model.config, "features", None), next(model.parameters()).dtype
    if width is None:
        frames = torch.randint(0, 256, (*shape, 3, size, size), generator=source).byte()
    else:
        frames = torch.randn(*shape, width, generator=source, dtype=dtype)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    concepts = getattr(model.config, "concepts", 0)
    targets = {"label": torch.arange(3)}  # for a model that is always asked
    if concepts:
        targets["concepts"] = torch.rand(3, concepts, generator=source, dtype=dtype)
    return Batch(frames, mask, model.tokenize(TEXTS), torch.arange(3), targets)


def problem_of(model: Any, **ways: Any) -> Problem:
    lower, upper = batch_for(model, 1), batch_for(model, 2)
    tasks = tuple(model.losses(lower))
    combiner = transformer.Config.tiny(tasks).build().eval()
    return Problem(
        weights=dict(trained(model)),
        combiner=combiner.to(next(model.parameters())),
        lower=[Losses(model, lower, tasks)],
        upper=Losses(model, upper, tasks),
        primary=model.primary,
        gamma=0.1,
        **ways,
    )


def test_the_primary_loss_is_one_of_those_named(model: Any) -> None:
    losses = model.losses(batch_for(model, 1))
    assert model.primary in losses
    assert model.tasks == tuple(losses), "what is stated before there is a batch"
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())


@pytest.fixture
def double(model: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The model in float64 to its end, where it would go on in float32, and so is a frozen one that
    its losses ask: kernels of attention, of which double backward has others, round in another
    order, and in float32 what ALPRO's prompter says then differs by 1e-8."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    if (prompter := getattr(model, "_prompter", None)) is not None:
        prompter.model.open(model.device).double()
    return model.double()


CLOSE = {"jvp": 1e-10, "vjp": 1e-10, "difference": 1e-6}  # relative to the largest number


@pytest.mark.parametrize("way", CLOSE)
def test_the_hypergradient_is_that_of_double_backward(double: Any, way: Along) -> None:
    """Without second derivatives of the model, the same numbers as with them."""
    task = problem_of(double, along=way)
    with skipping_where_there_is_no_forward_mode():
        got = aid_fp_lite.aid_fp_lite(task).gradient
    v, lower = task.judged(task.weights).gradient, task.lower[0]
    lower.draw.begin()  # the same dropout and the same masks
    try:
        wanted = -double_backward(double, lower.batch, task.combiner, list(v.values()))
    except NotImplementedError as error:
        pytest.skip(f"the model itself has no second derivative: {error}")
    size = float(wanted.abs().max())
    assert size > 0
    torch.testing.assert_close(flat(got), wanted, rtol=0.0, atol=CLOSE[way] * size)


@pytest.mark.parametrize("way", CLOSE)
def test_the_hypergradient_is_how_meltr_turns_the_gradient(double: Any, way: Along) -> None:
    """By first derivatives alone, which every model has: a difference along one direction."""
    task = problem_of(double, along=way)
    with skipping_where_there_is_no_forward_mode():
        got = aid_fp_lite.aid_fp_lite(task).gradient
    v, phi = task.judged(task.weights).gradient, dict(task.combiner.named_parameters())
    turn, ends = {name: torch.randn_like(p) for name, p in phi.items()}, []
    for size in (1e-5, -2e-5):  # ahead, then behind
        with torch.no_grad():
            for name, parameter in phi.items():
                parameter += size * turn[name]
        ends.append(float(dot(task.melted_gradient(task.lower[0], task.weights), v)))
    wanted = -(ends[0] - ends[1]) / 2e-5
    assert float(dot(got, turn)) == pytest.approx(wanted, rel=1e-5)


@contextmanager
def skipping_where_there_is_no_forward_mode() -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        if "set it to difference or vjp" not in str(error):
            raise
        pytest.skip(str(error))


# Of the largest slope. Violet's untrained network bends within the step that float32 needs: over
# seeds the error is 1 to 81 % of slopes that lie between 11 and 362, and 1e-8 in float64.
FINE = {"violet": 0.06}


def test_differences_in_float32_find_the_slopes(model: Any) -> None:
    """To some percent of the largest: far finer than what one batch says of all data."""
    task = problem_of(model)
    v = task.judged(task.weights).gradient
    _, wanted = along(task.lower[0], task.weights, v, "vjp")
    _, got = along(task.lower[0], task.weights, v, "difference")
    fine = FINE.get(type(model).__module__.rpartition(".")[2], 0.03)
    torch.testing.assert_close(got, wanted, rtol=0.0, atol=fine * float(wanted.abs().max()))


def melting(
    model: Any, combiner: nn.Module, scheme: Scheme | None = None, **settings: Any
) -> Meltr:
    held_out = HeldOut(lambda epoch, start: iter([batch_for(model, 7 + epoch)][start:]))
    scheme = scheme or aid_fp_lite.Config().build()
    combiner.to(next(model.parameters()).device)
    return Meltr(model, combiner, scheme, held_out, Settings(**settings))


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("way", ["jvp", "vjp", "difference"])
def test_a_meta_step_moves_meltr_and_leaves_no_trace_in_the_model(
    model: Any, way: Along, precision: str
) -> None:
    tasks = tuple(model.losses(batch_for(model, 1)))
    combiner = transformer.Config.tiny(tasks).build()
    step = melting(model, combiner, every=1, lr=0.01, along=way, precision=precision)
    step(batch_for(model, 1))
    problem = step._problem(batch_for(model, 3), shared=True)
    assert problem.here is not None
    problem.here()  # training's own pass, which may update statistics of BatchNorm
    phi, before = snapshot(combiner), snapshot(model)
    gradients = {name: w.grad.clone() for name, w in trained(model).items() if w.grad is not None}
    with skipping_where_there_is_no_forward_mode():
        step.teacher(problem)
    assert any(not torch.equal(t, phi[name]) for name, t in combiner.state_dict().items())
    assert all(tensor.isfinite().all() for tensor in combiner.state_dict().values())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    for name, weight in trained(model).items():
        assert (weight.grad is None) == (name not in gradients), name
        assert weight.grad is None or torch.equal(weight.grad, gradients[name]), name


def test_every_step_logs_each_loss_that_the_model_names_and_no_other(model: Any) -> None:
    batch = batch_for(model, 1)
    wanted = set(model.losses(batch))
    own = [Contrast(model), Contrast(model, chunk=2)] if is_contrasted(model) else []
    for step in (Sum(model), *own):
        assert step(batch).keys() == {"loss"} | wanted
    combiner = linear.Config(tasks=tuple(model.losses(batch))).build()
    beside = {"loss", "meta loss", "meta gradient", "meta seconds"}
    slopes = {f"slope {name}" for name in wanted}
    assert melting(model, combiner)(batch).keys() == wanted | slopes | beside


def test_meltr_that_sums_trains_as_the_models_own_step(model: Any) -> None:
    """For models with a temperature that step is `Contrast`; for all others `Sum`."""
    batch = batch_for(model, 1)
    combiner = linear.Config(tasks=tuple(model.losses(batch))).build()
    before, found = snapshot(model), []
    own = Contrast(model) if is_contrasted(model) else Sum(model)
    for step in (melting(model, combiner), own):
        model.load_state_dict(before)
        model.zero_grad(set_to_none=True)
        torch.manual_seed(5)
        facts = step(batch)
        found.append((facts["loss"], {n: w.grad for n, w in trained(model).items()}))
    (melted, gradients), (plain, wanted) = found
    assert melted == pytest.approx(plain, rel=1e-5)
    for name, gradient in wanted.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-5, atol=1e-7, msg=name)


@pytest.mark.parametrize(
    "scheme", [name for name in names("meltr.schemes") if name != "multi-task"]
)
def test_meta_steps_that_learn_nothing_are_the_plain_sum_to_the_bit(
    model: Any, scheme: str, device: str
) -> None:
    """With dropout on: training draws what it would draw without them."""
    if device != "cpu":
        pytest.skip("kernels of other devices add in no fixed order, so no two runs are the same")
    tasks = tuple(model.losses(batch_for(model, 1)))
    before, found = snapshot(model), []
    taught = find("meltr.schemes", scheme).Config().build()
    summed = multi_task.Config().build()
    for combiner, own in ((linear.Config(tasks=tasks).build(), taught), (Total(tasks), summed)):
        model.load_state_dict(before)
        torch.manual_seed(5)
        step = melting(model, combiner, own, every=1, lr=0)
        optimizer = torch.optim.Adam(trained(model).values(), 1e-3)
        for seed in range(2):  # the second on weights and draws that the first has left
            step(batch_for(model, seed))
            optimizer.step()
            optimizer.zero_grad()
        found.append(snapshot(model))
    for name, tensor in found[0].items():
        assert torch.equal(tensor, found[1][name]), name
