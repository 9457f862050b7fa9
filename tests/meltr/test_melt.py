"""MELTR in anybody's loop: the same engine as in ours, for any module, function and batches."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from transformers import BatchEncoding

from oracles.slow_hypergradient import flat
from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.meltr import HeldOut, Melt, Recent, Settings
from reeltune.meltr.linear import Config as Linear
from reeltune.meltr.modes import MODES
from reeltune.meltr.schemes import (
    aid_fp_lite,
    conjugate_gradient,
    meta_weight_net,
    neumann,
    stocbio,
)
from reeltune.meltr.step import Meltr
from reeltune.meltr.transformer import Config

TASKS = ("which", "size", "noise")
SIZES = {"width": 16, "scale_width": 8, "feedforward": 16, "heads": 2}
SCHEMES = {
    "lite": aid_fp_lite.Config(),
    "neumann": neumann.Config(terms=2),
    "cg": conjugate_gradient.Config(steps=2, damping=1.0),
    "stocbio": stocbio.Config(terms=2),
    "itd": meta_weight_net.Config(steps=2),
}


class Net(nn.Module):
    """No method `losses`, no `primary`: a module like any other."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(5, 8), nn.Linear(8, 3)
        self.norm, self.drop = nn.BatchNorm1d(8), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.drop(self.norm(self.body(x)).tanh())
        return self.head(hidden), hidden


def compute_losses(model: Any, batch: Any) -> dict[str, Tensor]:
    """The losses of a batch, whatever holds its three tensors."""
    x, which, noise = in_order(batch)
    scores, hidden = model(x)
    return {
        "which": F.cross_entropy(scores, which),
        "size": hidden.square().mean(),
        "noise": F.mse_loss(hidden[:, 0], noise),
    }


@dataclass(frozen=True)
class Clips:
    x: Tensor
    labels: dict[str, Tensor]
    names: tuple[str, ...] = ("a",)


class Named(NamedTuple):
    x: Tensor
    which: Tensor
    noise: Tensor


def in_order(batch: Any) -> tuple[Tensor, Tensor, Tensor]:
    if isinstance(batch, Clips):
        return batch.x, batch.labels["which"], batch.labels["noise"]
    if isinstance(batch, tuple | list):
        return tuple(batch)  # type: ignore[return-value]
    return batch["x"], batch["which"], batch["noise"]


KINDS: dict[str, Any] = {
    "tuple": lambda x, which, noise: (x, which, noise),
    "list": lambda x, which, noise: [x, which, noise],
    "named": Named,
    "dict": lambda x, which, noise: {"x": x, "which": which, "noise": noise},
    "dataclass": lambda x, which, noise: Clips(x, {"which": which, "noise": noise}),
    "encoding": lambda *three: BatchEncoding(
        dict(zip(("x", "which", "noise"), three, strict=True))
    ),
}


def batch_of(number: int, kind: str = "tuple", count: int = 6) -> Any:
    source = torch.Generator().manual_seed(number)
    which = torch.randint(3, (count,), generator=source)
    x = torch.randn(count, 5, generator=source) + F.one_hot(which, 5)
    return KINDS[kind](x, which, torch.randn(count, generator=source))


def net(seed: int = 0, dropout: float = 0.2) -> Net:
    torch.manual_seed(seed)
    return Net(dropout)


def small(seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return Config(tasks=TASKS, residual=True, **SIZES).build()


def melt_of(model: nn.Module, judge_on: Any = None, **settings: Any) -> Melt:
    held_out = [batch_of(100 + number) for number in range(3)]
    beside = {"combiner": small(), "every": 2, "lr": 0.01} | settings
    return Melt(model, compute_losses, "which", judge_on or held_out, **beside)


def phi(melt: Any) -> Tensor:
    return flat(list(melt.combiner.parameters()))


def trained(melt: Melt, batches: Any, rate: float = 0.1) -> tuple[Tensor, Tensor]:
    torch.manual_seed(7)
    optimizer = torch.optim.SGD(melt.model.parameters(), rate)
    for batch in batches:
        melt.step(batch)
        optimizer.step()
        optimizer.zero_grad()
    return flat(list(melt.model.parameters())), phi(melt)


def test_ten_lines_are_all_and_what_counts_is_learned() -> None:
    model = net(dropout=0.0)
    held_out = DataLoader([tuple(row) for row in zip(*batch_of(100, count=320), strict=True)], 64)
    loader = (batch_of(number, count=32) for number in range(25))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    melt = Melt(model, losses=compute_losses, primary="which", judge_on=held_out, every=1)
    for batch in loader:
        facts = melt.step(batch)
        optimizer.step()
        optimizer.zero_grad()
    assert facts["slope which"] > max(facts["slope size"], facts["slope noise"])
    assert facts["which"] < 1.0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_is_the_step_of_our_own_loop_to_the_bit(scheme: str) -> None:
    class Ours(Net):
        primary = "which"

        def losses(self, batch: Any) -> dict[str, Tensor]:
            return compute_losses(self, batch)

    batches, held_out = [batch_of(n) for n in range(7)], [batch_of(100 + n) for n in range(3)]
    built = SCHEMES[scheme].build()
    found = trained(melt_of(net(), held_out, scheme=built), batches)
    torch.manual_seed(0)
    settings = Settings(every=2, lr=0.01, **MODES["residual"].settings)
    ours = Meltr(Ours(), small(), built, HeldOut(held_out), settings)
    torch.manual_seed(7)
    optimizer = torch.optim.SGD(ours.model.parameters(), 0.1)
    for batch in batches:
        ours(batch)
        optimizer.step()
        optimizer.zero_grad()
    assert torch.equal(found[0], flat(list(ours.model.parameters())))
    assert torch.equal(found[1], phi(ours))


def test_a_function_for_the_primary_loss_alone_saves_work_and_changes_nothing() -> None:
    asked = []

    def which(model: Any, batch: Any) -> Tensor:
        asked.append(batch)
        x, label, _ = in_order(batch)
        return F.cross_entropy(model(x)[0], label)

    batches, found = [batch_of(number) for number in range(5)], []
    for ways in ({}, {"primary_loss": which}):
        found.append(trained(melt_of(net(), gamma=0.0, direct_term=False, **ways), batches))
    assert len(asked) == 2, "a meta step after every second step"
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_loss_of_ones_own_is_the_same_and_update_moves_meltr_after_k_steps() -> None:
    model, other = net(dropout=0.0), net(dropout=0.0)
    melt, stepped, moved = melt_of(model), melt_of(other), []
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for number in range(7):
        before = phi(melt) if number else None
        loss = melt(compute_losses(model, batch_of(number)))
        loss.backward()
        if number == 0:
            stepped.step(batch_of(0))
            assert torch.equal(model.head.weight.grad, other.head.weight.grad)
            assert loss.item() == stepped.facts["loss"] == melt.facts["loss"]
        optimizer.step()
        optimizer.zero_grad()
        melt.update(batch_of(number))
        moved.append(before is not None and not torch.equal(phi(melt), before))
    assert moved == [False, True, False, True, False, True, False]
    assert melt.facts["meta gradient"] > 0


def test_update_is_the_meta_step_of_the_hypergradient_and_leaves_the_model_alone() -> None:
    model = net()
    melt = melt_of(model, every=1, lr=1.0, clip_norm=0.0)
    melt(compute_losses(model, batch_of(0))).backward()
    gradient, before = model.head.weight.grad.clone(), phi(melt)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    drawn = torch.get_rng_state()
    facts = melt.update(batch_of(0))
    assert torch.equal(model.head.weight.grad, gradient)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert facts["meta loss"] > 0
    assert (phi(melt) - before).abs().max() == pytest.approx(1.0, rel=1e-3), "Adam's first step"


def test_steps_in_parts_add_up() -> None:
    """Four quarters give the gradient of the whole, and count as one step."""
    model, other = net(dropout=0.0), net(dropout=0.0)
    melt, whole = melt_of(model), melt_of(other)
    for number in range(3):
        for _ in range(4):
            melt.step(batch_of(number), share=0.25)
        whole.step(batch_of(number))
    torch.testing.assert_close(model.head.weight.grad, other.head.weight.grad)
    torch.testing.assert_close(phi(melt), phi(whole))
    for _ in range(4):
        before = phi(melt)
        facts = melt.update(batch_of(9), share=0.25)
    assert facts["meta seconds"] > 0
    assert not torch.equal(phi(melt), before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outer", ["held-out", "recent"])
def test_every_kind_of_batch_gives_the_same_numbers(kind: str, outer: str) -> None:
    """With a scheme that keeps batches, by both kinds of outer data, through a stored state."""

    def run(kind: str) -> tuple[Tensor, Tensor]:
        held_out = [batch_of(100 + number, kind) for number in range(3)]
        make = lambda: held_out if outer == "held-out" else Recent(3)  # noqa: E731
        melt = melt_of(net(), make(), scheme=SCHEMES["stocbio"].build())
        trained(melt, [batch_of(number, kind) for number in range(5)])
        stored = load(save({name: t.contiguous() for name, t in melt.state_dict().items()}))
        again = melt_of(melt.model, make(), scheme=SCHEMES["stocbio"].build(), combiner=small(9))
        again.load_state_dict(stored)
        return trained(again, [batch_of(number, kind) for number in range(5, 9)])

    wanted, found = run("tuple"), run(kind)
    assert torch.equal(found[0], wanted[0])
    assert torch.equal(found[1], wanted[1])


@pytest.mark.parametrize(
    ("scheme", "outer"),
    [("lite", "shuffled"), ("lite", "list"), ("lite", "function")]
    + [(scheme, "recent") for scheme in SCHEMES],
)
def test_a_resumed_loop_gives_the_same_numbers(scheme: str, outer: str) -> None:
    rows = [tuple(row) for row in zip(*batch_of(100, count=12), strict=True)]

    def judge() -> Any:
        return {
            "shuffled": DataLoader(rows, 4, shuffle=True),  # its order is drawn with every epoch
            "list": [batch_of(100), batch_of(101)],
            "function": lambda epoch, start: [batch_of(100 + epoch), batch_of(1)][start:],
            "recent": Recent(3),
        }[outer]

    def go_on(melt: Melt, first: int, last: int) -> None:
        optimizer = torch.optim.SGD(melt.model.parameters(), 0.1)
        for number in range(first, last):
            melt.step(batch_of(number))
            optimizer.step()
            optimizer.zero_grad()

    found = []
    for stop in (None, 5):
        melt = melt_of(net(), judge(), scheme=SCHEMES[scheme].build(), every=1)
        torch.manual_seed(7)
        go_on(melt, 0, stop or 8)
        if stop is not None:
            state, drawn = melt.state_dict(), torch.get_rng_state()
            melt = melt_of(melt.model, judge(), scheme=SCHEMES[scheme].build(), every=1)
            melt.load_state_dict(state)
            torch.set_rng_state(drawn)
            go_on(melt, stop, 8)
        found.append((flat(list(melt.model.parameters())), phi(melt)))
    for weights, learned in found[1:]:
        assert torch.equal(weights, found[0][0])
        assert torch.equal(learned, found[0][1])


def test_a_state_makes_meltr_before_the_first_losses_and_says_what_does_not_fit() -> None:
    melt = Melt(net(), compute_losses, "which", Recent())
    assert melt.state_dict() == {}
    melt.load_state_dict({})
    melt.step(batch_of(0))
    again = Melt(net(), compute_losses, "which", Recent())
    again.load_state_dict(melt.state_dict())
    assert torch.equal(phi(again), phi(melt))
    other = Melt(net(), lambda model, x: {"which": model(x[0])[0].mean()}, "which", Recent())
    other.step(batch_of(0))
    with pytest.raises(CheckpointError, match=r"melts \['which', 'size', 'noise'\], and these"):
        other.load_state_dict(melt.state_dict())
    with pytest.raises(CheckpointError, match=r"names no losses, as those of other versions"):
        other.load_state_dict({"places": torch.zeros(6)})


def test_it_starts_at_the_plain_sum_and_elsewhere_by_name() -> None:
    found = {}
    for mode in MODES:
        torch.manual_seed(3)
        melt = Melt(net(dropout=0.0), compute_losses, "which", Recent(), mode=mode)
        melt.step(batch_of(0))
        found[mode] = torch.tensor([melt.facts[f"slope {task}"] for task in TASKS])
    assert (found["residual"] - 1).abs().max() < 0.1
    assert all(slopes.abs().max() < 0.5 for mode, slopes in found.items() if mode != "residual")


def test_sizes_of_a_mode_are_those_of_the_released_code() -> None:
    counts = {"univl": 561408, "violet-retrieval": 1712128, "violet-qa": 430080}
    for mode, count in counts.items():
        melt = Melt(net(), compute_losses, "which", Recent(), mode=mode)
        melt.step(batch_of(0))
        assert sum(p.numel() for p in melt.combiner.parameters()) == count
    assert melt.settings.clip_norm == 12
    assert melt.settings.dropout


def test_the_plain_sum_is_a_scheme_and_another_combiner_may_be_given() -> None:
    model, other = net(dropout=0.0), net(dropout=0.0)
    melt = Melt(model, compute_losses, "which", Recent(), scheme="multi-task")
    melt.step(batch_of(0))
    torch.stack(list(compute_losses(other, batch_of(0)).values())).sum().backward()
    torch.testing.assert_close(model.head.weight.grad, other.head.weight.grad)
    linear = Linear(tasks=TASKS).build()
    melt = Melt(net(), compute_losses, "which", Recent(), combiner=linear)
    melt.step(batch_of(0))
    assert melt.combiner is linear


def test_making_meltr_draws_nothing_from_training() -> None:
    drawn = []
    for mode in ("residual", "univl"):
        melt = Melt(net(dropout=0.5), compute_losses, "which", Recent(), mode=mode)
        torch.manual_seed(5)
        melt.step(batch_of(0))
        drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[1])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"losses": [1.0]}, r"losses of Melt are a list; give a function of the model and a batch"),
        ({"mode": "sum"}, r"MELTR has no mode 'sum'; there are residual, paper, univl,"),
        ({"model": nn.Tanh()}, r"Tanh has no weight that is trained; give Melt the module"),
        ({"judge_on": 3}, r"HeldOut got a int; give it what gives batches"),
        ({"evry": 3}, r"MELTR got evry=3: there is none of that name; its settings are every, lr"),
        ({"every": 0}, r"MELTR got every=0: Input should be greater than 0; its settings"),
        ({"scheme": "lite"}, r"no scheme named 'lite'; there are: aid-fp-lite,"),
        (
            {"primary_loss": lambda model, batch: torch.ones(())},
            r"got primary_loss, and gamma=0.1 with regularise=\"upper\" reads all losses .*gamma=0",
        ),
    ],
)
def test_what_is_wrong_in_the_call_is_named(wrong: dict[str, Any], message: str) -> None:
    given = {"model": net(), "losses": compute_losses, "primary": "which", "judge_on": Recent()}
    with pytest.raises(ConfigError, match=message):
        Melt(**{**given, **wrong})


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("found", "kind", "message"),
    [
        ([torch.ones(())], ConfigError, r"losses of wrong returned a list; return a dict"),
        ({"which": 0.0}, ConfigError, r"the loss which of wrong is a float; return a tensor"),
        ({"which": torch.ones(1)}, ConfigError, r"the loss which .* of shape \(1,\); return"),
        ({"size": torch.ones(())}, ConfigError, r"judged by 'which', which is not among"),
        (
            {"which": torch.ones(()), "size": torch.tensor(float("nan"))},
            DataError,
            r"the loss size is nan; look for what is not finite in the batch, lower the",
        ),
    ],
)
def test_losses_that_cannot_be_melted_are_named(found: Any, kind: Any, message: str) -> None:
    def wrong(model: Any, batch: Any) -> Any:
        return found

    with pytest.raises(kind, match=message):
        Melt(net(), wrong, "which", Recent()).step(batch_of(0))
    with pytest.raises(kind, match=message):
        Melt(net(), wrong, "which", Recent())(found)


def test_what_needs_losses_first_says_so() -> None:
    melt = Melt(net(), compute_losses, "which", Recent())
    assert melt.facts == {}
    for early in (lambda: melt.update(batch_of(0)), lambda: melt.combiner):
        with pytest.raises(ConfigError, match=r"names of the losses yet; call melt\.step"):
            early()


def test_held_out_data_that_end_are_told_of() -> None:
    melt = melt_of(net(), (batch_of(n) for n in range(2)), every=1)
    with pytest.raises(DataError, match=r"fills no batch.*again and again: no generator that ends"):
        trained(melt, [batch_of(number) for number in range(5)])


@pytest.mark.parametrize("outer", ["held out", "recent"])
def test_a_batch_with_a_loss_that_is_no_number_leaves_no_trace(outer: str) -> None:
    def after(skipped: bool) -> tuple[Tensor, Tensor]:
        judge = Recent(3) if outer == "recent" else [batch_of(100)]
        melt = melt_of(net(dropout=0.0), judge, every=2)
        optimizer = torch.optim.SGD(melt.model.parameters(), 0.1)
        torch.manual_seed(7)
        for number in range(6):
            if skipped and number == 3:
                x, which, _ = in_order(batch_of(50))
                with pytest.raises(DataError, match=r"the loss noise is nan; look for what is not"):
                    melt.step((x, which, torch.full((len(x),), float("nan"))))
            melt.step(batch_of(number))
            optimizer.step()
            optimizer.zero_grad()
        return flat(list(melt.model.parameters())), phi(melt)

    clean, broken = after(skipped=False), after(skipped=True)
    assert torch.equal(broken[0], clean[0])
    assert torch.equal(broken[1], clean[1])


def test_slopes_that_are_no_numbers_are_named() -> None:
    combiner = Linear(tasks=TASKS).build()
    melt = melt_of(net(), Recent(), combiner=combiner)
    melt.step(batch_of(0))
    with torch.no_grad():
        next(iter(combiner.parameters())).fill_(float("nan"))
    with pytest.raises(
        DataError, match=r"MELTR makes nan of finite losses, with slopes of nan for"
    ):
        melt.step(batch_of(1))


def test_a_state_of_the_plain_sum_makes_it_before_the_first_losses() -> None:
    def summed() -> Melt:
        model = net(dropout=0.0)
        return Melt(model, compute_losses, "which", [batch_of(9)], scheme="multi-task")

    melt, again = summed(), summed()
    melt.step(batch_of(0))
    again.load_state_dict(melt.state_dict())
    assert again.step(batch_of(1))["loss"] == melt.step(batch_of(1))["loss"]


def test_a_loaded_state_stays_as_it_is_and_may_be_loaded_again() -> None:
    melt = melt_of(net())
    trained(melt, [batch_of(number) for number in range(4)])
    state = load(save(melt.state_dict()))
    kept = {name: tensor.clone() for name, tensor in state.items()}
    melt.load_state_dict(state)
    trained(melt, [batch_of(number) for number in range(4, 8)])
    assert state.keys() == kept.keys()
    for name, tensor in state.items():
        assert torch.equal(tensor, kept[name]), name


def test_a_state_of_other_data_that_judge_is_refused() -> None:
    held_out, recent = melt_of(net()), melt_of(net(), Recent())
    for melt in (held_out, recent):
        melt.step(batch_of(0))
    with pytest.raises(CheckpointError, match=r"not that of held-out batches; go on with the same"):
        held_out.load_state_dict(recent.state_dict())
    with pytest.raises(CheckpointError, match=r"not that of recent batches; go on with the same"):
        recent.load_state_dict(held_out.state_dict())


@pytest.mark.parametrize("share", [0, -0.5, 4, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    melt = melt_of(net())
    with pytest.raises(ConfigError, match=r"share is .* give 1 / N where N batches make a step"):
        melt.step(batch_of(0), share)
    melt.step(batch_of(0))
    with pytest.raises(ConfigError, match=r"share is .* above 0 and at most 1"):
        melt.update(batch_of(0), share)
