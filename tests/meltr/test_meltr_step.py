"""The bilevel step as a step of the loop: gradients, when it is meta, its state, its errors."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from oracles.slow_hypergradient import flat, melted
from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.meltr.combiner import Total
from reeltune.meltr.linear import Config as LinearConfig
from reeltune.meltr.outer import HeldOut, Outer, Recent
from reeltune.meltr.schemes import aid_fp_lite, meta_weight_net, multi_task, neumann, stocbio
from reeltune.meltr.settings import Settings
from reeltune.meltr.step import Meltr
from reeltune.meltr.transformer import Config
from reeltune.training.step import Step, Sum
from reeltune.types import Batch, Tokens

TASKS = ("match", "length", "size")


class Model(nn.Module):
    """Features of clips, three losses."""

    primary = "match"

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Linear(5, 8)
        self.head = nn.Linear(8, 3)
        self.drop = nn.Dropout(dropout)
        self.register_parameter("frozen", nn.Parameter(torch.ones(2), requires_grad=False))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        x = self.head(self.drop(self.body(batch.frames.mean(1)).tanh()))
        return {
            "size": x.square().mean(),  # another order than TASKS
            "match": F.cross_entropy(x, batch.video % 3),
            "length": F.smooth_l1_loss(x[:, 0], batch.mask.sum(1).to(x.dtype)),
        }


def batch_of(number: int, count: int = 6) -> Batch:
    source = torch.Generator().manual_seed(number)
    frames = torch.randn(count, 2, 5, generator=source)
    tokens = Tokens(torch.full((count, 3), number), torch.ones(count, 3, dtype=torch.bool))
    video = torch.randint(0, 9, (count,), generator=source)
    mask = torch.rand(count, 2, generator=source) > 0.3
    return Batch(frames, mask, tokens, video, {"extra": torch.tensor([float(number)])})


def held_out(batches: int = 4) -> HeldOut:
    def epoch(number: int, start: int) -> Iterator[Batch]:
        return iter([batch_of(1000 + 10 * number + i) for i in range(start, batches)])

    return HeldOut(epoch)


def step_of(
    model: nn.Module, scheme: Any = None, outer: Outer | None = None, **settings: Any
) -> Meltr:
    torch.manual_seed(1)
    combiner = Config.tiny(TASKS).build()
    chosen = (scheme or aid_fp_lite.Config()).build()
    return Meltr(model, combiner, chosen, outer or held_out(), Settings(**settings))


def model_of(seed: int = 0, **settings: Any) -> Model:
    torch.manual_seed(seed)
    return Model(**settings)


def phi(step: Meltr) -> Tensor:
    return flat(list(step.combiner.parameters()))


def test_it_is_a_step_of_the_loop() -> None:
    assert isinstance(step_of(model_of()), Step)


def test_gradients_are_those_of_the_melted_loss() -> None:
    model = model_of()
    step, batch = step_of(model), batch_of(0)
    facts = step(batch, 0.5)
    value = melted(model, batch, step.combiner)
    weights = [w for w in model.parameters() if w.requires_grad]
    wanted = torch.autograd.grad(0.5 * value, weights)
    got = [w.grad for w in weights if w.grad is not None]
    torch.testing.assert_close(flat(got), flat(wanted))
    assert facts["loss"] == pytest.approx(value.item(), rel=1e-5)
    assert model.frozen.grad is None
    assert all(p.grad is None for p in step.combiner.parameters())


class Alone(Model):
    """A model that can compute its primary loss alone, and counts how often it does."""

    asked = 0

    def primary_loss(self, batch: Batch) -> Tensor:
        self.asked += 1
        return self.losses(batch)["match"]


@pytest.mark.parametrize(
    ("settings", "calls"),
    [
        ({"gamma": 0.0}, 3),
        ({"gamma": 0.1, "regularise": "lower"}, 3),
        ({"gamma": 0.1, "regularise": "upper", "direct_term": True}, 0),
    ],
)
def test_the_batch_that_judges_is_read_for_the_primary_loss_alone_where_that_is_enough(
    settings: dict[str, Any], calls: int
) -> None:
    """MELTR and weights have the bits that they have with all losses."""
    found = []
    for kind in (Model, Alone):
        torch.manual_seed(0)
        model = kind(dropout=0.3)
        step = step_of(model, every=1, lr=0.1, **settings)
        for number in range(4):
            step(batch_of(number))
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        found.append((phi(step), flat(gradients), getattr(model, "asked", 0)))
    (wanted, trained, _), (got, melted_by, asked) = found
    assert torch.equal(got, wanted)
    assert torch.equal(melted_by, trained)
    assert asked == calls


def test_a_primary_loss_of_the_model_is_not_asked_for_where_another_one_judges() -> None:
    torch.manual_seed(0)
    model, combiner = Alone(), Config.tiny(TASKS).build()
    settings, scheme = Settings(every=1, gamma=0.0), aid_fp_lite.Config().build()
    step = Meltr(model, combiner, scheme, held_out(), settings, primary="size")
    step(batch_of(0))
    step(batch_of(1))
    assert model.asked == 0
    with torch.no_grad():
        upper = model.losses(batch_of(1000))["size"].item()
    assert step.facts["size"] > 0
    assert step.teacher.said["meta loss"] == pytest.approx(upper, rel=1e-5)


def test_facts_name_each_loss_and_its_slope() -> None:
    model = model_of()
    step, batch = step_of(model), batch_of(0)
    facts = step(batch)
    for name, loss in model.losses(batch).items():
        assert facts[name] == pytest.approx(loss.item(), rel=1e-5)
    values = torch.tensor([facts[name] for name in TASKS], requires_grad=True)
    (slopes,) = torch.autograd.grad(step.combiner(values), values)
    assert [facts[f"slope {name}"] for name in TASKS] == pytest.approx(slopes.tolist(), rel=1e-4)
    assert facts["meta gradient"] == 0
    assert all(isinstance(value, float) for value in facts.values())


def test_gradients_are_added_and_shares_add_up() -> None:
    model = model_of()
    step = step_of(model)
    step(batch_of(0))
    once = model.head.weight.grad.clone()
    model.zero_grad()
    step(batch_of(0), 0.25)
    step(batch_of(0), 0.75)
    torch.testing.assert_close(model.head.weight.grad, once)


def test_meltr_moves_after_every_k_steps_of_the_weights() -> None:
    model = model_of()
    step, moved, before = step_of(model, every=3, lr=0.01), [], None
    for number in range(10):
        before = phi(step)
        step(batch_of(number))
        moved.append(not torch.equal(phi(step), before))
    assert [number for number, did in enumerate(moved) if did] == [3, 6, 9]


def test_a_step_in_thirds_counts_once_and_is_not_interrupted() -> None:
    model = model_of()
    step, moved = step_of(model, every=2, lr=0.01), []
    for number in range(12):
        before = phi(step)
        step(batch_of(number), 1 / 3)
        moved.append(not torch.equal(phi(step), before))
    assert [number for number, did in enumerate(moved) if did] == [6]


def test_the_meta_step_leaves_gradients_of_weights_alone() -> None:
    """Accumulated ones are added to, and weights do not move."""
    model = model_of()
    step = step_of(model, every=1)
    step(batch_of(0))
    first = model.head.weight.grad.clone()
    before = flat(list(model.parameters()))
    step(batch_of(1))
    model.zero_grad()
    value = melted(model, batch_of(1), step.combiner)
    (second,) = torch.autograd.grad(value, model.head.weight)
    step(batch_of(1), 0.0)  # a meta step, and no gradient
    torch.testing.assert_close(flat(list(model.parameters())), before)
    assert model.head.weight.grad is not None
    assert model.head.weight.grad.abs().max() == 0
    assert first.abs().max() > 0
    assert second.abs().max() > 0


def test_the_move_is_adams_against_the_hypergradient() -> None:
    """A first step of Adam is the rate times the sign."""
    model = model_of()
    step = step_of(model, every=1, lr=0.01, clip_norm=0.0)
    step(batch_of(0))
    found = aid_fp_lite.aid_fp_lite(_same_problem(step, batch_of(1)))
    before = phi(step)
    facts = step(batch_of(1))
    gradient = flat(found.gradient)
    large = gradient.abs() > 1e-5
    wanted = -0.01 * gradient.sign()
    assert large.any()
    torch.testing.assert_close((phi(step) - before)[large], wanted[large], rtol=0.01, atol=1e-5)
    assert facts["meta gradient"] == pytest.approx(float(gradient.norm()), rel=1e-3)
    assert facts["meta loss"] == pytest.approx(found.loss, rel=1e-5)


def _same_problem(step: Meltr, batch: Batch) -> Any:
    """The problem of the coming meta step, without drawing the held-out batch that it draws."""
    state = step.outer.state_dict()
    task = step._problem(batch, shared=True)
    step.outer.load_state_dict(state)
    return task


def test_the_hypergradient_is_clipped() -> None:
    model = model_of()
    step = step_of(model, every=1, clip_norm=1e-9, lr=0.0)
    seen: list[float] = []
    step.teacher.optimizer.register_step_pre_hook(
        lambda *_: seen.append(float(flat([p.grad for p in step.combiner.parameters()]).norm()))
    )
    step(batch_of(0))
    facts = step(batch_of(1))
    assert facts["meta gradient"] > 1e-8
    assert seen[0] <= 1.01e-9


def test_the_rate_decays_to_zero() -> None:
    step = step_of(model_of(), every=1, lr=0.1, decay_over=4)
    rates = []
    for number in range(7):
        step(batch_of(number))
        rates.append(step.teacher.optimizer.param_groups[0]["lr"])
    assert rates[1:] == pytest.approx([0.1, 0.075, 0.05, 0.025, 0.0, 0.0])


@pytest.mark.parametrize("dropout", [False, True])
def test_dropout_in_meltr_is_off_unless_asked_for(dropout: bool) -> None:
    step = step_of(model_of(), dropout=dropout)
    assert step.combiner.training == dropout
    again = [step(batch_of(0))["slope match"] for _ in range(2)]
    assert (again[0] != again[1]) == dropout


def test_multi_task_is_the_plain_sum() -> None:
    model, other = model_of(), model_of()
    step = Meltr(model, Total(TASKS), multi_task.Config().build(), held_out(), Settings(every=1))
    plain = Sum(other)
    for number in range(3):
        facts, wanted = step(batch_of(number)), plain(batch_of(number))
        assert facts["loss"] == pytest.approx(wanted["loss"], rel=1e-6)
    torch.testing.assert_close(model.body.weight.grad, other.body.weight.grad)
    assert "meta loss" not in facts
    assert "meta seconds" not in facts


def test_weights_by_hand_are_those_of_the_weighted_sum() -> None:
    model, other = model_of(), model_of()
    weights = {"match": 8.0, "size": 0.0}
    total = Total(TASKS, weights)
    step = Meltr(model, total, multi_task.Config().build(), held_out(), Settings())
    facts, wanted = step(batch_of(0)), Sum(other, weights)(batch_of(0))
    assert facts["loss"] == pytest.approx(wanted["loss"], rel=1e-6)
    assert [facts[f"slope {task}"] for task in TASKS] == [8, 1, 0]
    torch.testing.assert_close(model.body.weight.grad, other.body.weight.grad)


def test_weights_of_unknown_losses_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"weights names \['mach'\].*losses.*'match'.*only these"):
        Total(TASKS, {"mach": 8.0})


def test_seconds_are_those_of_the_meta_step_taken() -> None:
    step = step_of(model_of(), every=2)
    spent = [step(batch_of(number))["meta seconds"] for number in range(5)]
    assert [number for number, one in enumerate(spent) if one > 0] == [2, 4]
    assert max(spent) < 10


SCHEMES = [
    aid_fp_lite.Config(),
    neumann.Config(terms=2),
    stocbio.Config(terms=2),
    meta_weight_net.Config(steps=2),
]


def trained(
    steps: int, scheme: Any, outer: Outer, stop_at: int | None = None, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Weights and MELTR after some steps; with `stop_at`, through a stored state."""
    model = model_of(seed, dropout=0.3)
    step = step_of(model, scheme, outer, every=2, lr=0.01)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    torch.manual_seed(7)
    for number in range(steps):
        if number == stop_at:
            state = {n: t.clone() for n, t in step.state_dict().items()}
            step = step_of_unlike(model, scheme, outer)
            step.load_state_dict(state)
        step(batch_of(number))
        optimizer.step()
        optimizer.zero_grad()
    return flat(list(model.parameters())), phi(step)


def step_of_unlike(model: Model, scheme: Any, outer: Outer) -> Meltr:
    """A new process: other random weights of MELTR, empty buffers, the same generator."""
    fresh = held_out() if isinstance(outer, HeldOut) else Recent(3)
    state = torch.get_rng_state()
    step = step_of(model, scheme, fresh, every=2, lr=0.01)
    with torch.no_grad():
        for parameter in step.combiner.parameters():
            parameter.add_(1.0)
    torch.set_rng_state(state)
    return step


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__module__[-12:])
@pytest.mark.parametrize("make", [held_out, lambda: Recent(3)], ids=["held-out", "recent"])
def test_a_resumed_run_gives_the_same_numbers(scheme: Any, make: Any) -> None:
    whole = trained(11, scheme, make())
    for stop in (5, 6):
        parts = trained(11, scheme, make(), stop_at=stop)
        assert torch.equal(whole[0], parts[0])
        assert torch.equal(whole[1], parts[1])


def test_the_state_fits_a_safetensors_file() -> None:
    from safetensors.torch import load, save

    step = step_of(model_of(), outer=Recent(2), every=1)
    for number in range(3):
        step(batch_of(number))
    stored = load(save({n: t.contiguous() for n, t in step.state_dict().items()}))
    step.load_state_dict(stored)
    assert stored.keys() == step.state_dict().keys()


def test_a_state_of_another_combiner_is_refused() -> None:
    step = step_of(model_of())
    other = Meltr(
        model_of(),
        LinearConfig(tasks=TASKS).build(),
        aid_fp_lite.Config().build(),
        held_out(),
        Settings(),
    )
    with pytest.raises(CheckpointError, match=r"state of meltr does not fit.*same combiner"):
        step.load_state_dict(other.state_dict())


def test_recent_keeps_the_last_batches_and_draws_each() -> None:
    recent = Recent(3)
    with pytest.raises(DataError, match="no training batch was seen yet"):
        recent.draw(batch_of(9))
    for number in range(5):
        recent.see(batch_of(number))
    torch.manual_seed(0)
    drawn = [int(recent.draw(batch_of(9)).targets["extra"]) for _ in range(60)]
    assert set(drawn) == {2, 3, 4}


def test_held_out_goes_round_and_never_shows_a_training_batch() -> None:
    outer = held_out(2)
    outer.see(batch_of(5))
    drawn = [int(outer.draw(batch_of(9)).targets["extra"]) for _ in range(5)]
    assert drawn == [1000, 1001, 1010, 1011, 1020]
    with pytest.raises(DataError, match=r"held-out split fills no batch.*smaller batch"):
        held_out(0).draw(batch_of(9))


def test_combiner_and_scheme_must_go_together() -> None:
    with pytest.raises(ConfigError, match=r"has parameters.*multi-task; use combiner.Total"):
        step_of(model_of(), multi_task.Config())
    with pytest.raises(ConfigError, match=r"has none.*aid-fp-lite"):
        Meltr(model_of(), Total(TASKS), aid_fp_lite.Config().build(), held_out(), Settings())


def test_the_primary_loss_must_be_among_the_tasks() -> None:
    combiner = LinearConfig(tasks=("length", "size")).build()
    with pytest.raises(ConfigError, match=r"judged by 'match'.*\['length', 'size'\].*its Config"):
        Meltr(model_of(), combiner, aid_fp_lite.Config().build(), held_out(), Settings())


def test_a_hypergradient_that_is_not_finite_stops_the_run() -> None:
    step = step_of(model_of(), neumann.Config(terms=3, rate=1e38), every=1)
    step(batch_of(0))
    with pytest.raises(DataError, match=r"meta step 0 is not finite; lower the rate of neumann"):
        step(batch_of(1))


@pytest.mark.parametrize(
    ("wrong", "where"),
    [(1, "the training batch"), (1000, "the batch that judges")],
)
def test_a_loss_that_is_no_number_is_named_with_its_batch(wrong: int, where: str) -> None:
    class Broken(Model):
        def losses(self, batch: Batch) -> dict[str, Tensor]:
            found = super().losses(batch)
            bad = int(batch.tokens.ids[0, 0]) == wrong
            return found | {"match": found["match"] * float("nan")} if bad else found

    torch.manual_seed(0)
    step = step_of(Broken(), every=1)
    step(batch_of(0))
    message = rf"meta step 0 is not finite, as match is nan on {where}; lower the rate"
    with pytest.raises(DataError, match=message):
        step(batch_of(1))


@pytest.mark.usefixtures("unchecked")
def test_what_does_not_belong_into_meltr_is_named() -> None:
    built: Any = {
        "combiner": Config.tiny(TASKS).build(),
        "scheme": aid_fp_lite.Config().build(),
        "outer": held_out(),
    }
    wrong: list[tuple[str, Any, str]] = [
        ("combiner", Config.tiny(TASKS), r"the combiner of Meltr is a Config; give a module"),
        ("scheme", aid_fp_lite.Config(), r"the scheme of Meltr is a Config; give one, such as"),
        ("outer", [batch_of(0)], r"the outer of Meltr is a list; give meltr\.outer\.HeldOut"),
    ]
    for name, given, message in wrong:
        with pytest.raises(ConfigError, match=message):
            Meltr(model_of(), **(built | {name: given}), settings=Settings())


class Nameless(Model):
    """Nobody said which of its losses it is judged by."""

    primary: Any = None


def test_a_model_without_a_primary_loss_is_told_so() -> None:
    message = (
        r"Nameless\.primary is None; set it to the name of the loss that the task is judged by"
    )
    with pytest.raises(ConfigError, match=message):
        step_of(Nameless())


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([torch.ones(())], r"losses of Model returned a list; return a dict"),
        (
            {"match": torch.ones(2)},
            r"the loss match of Model is a .* of shape \(2,\); return a tensor",
        ),
        ({"match": 1.0}, r"the loss match of Model is a float; return a tensor"),
    ],
)
def test_losses_that_cannot_be_melted_are_named(
    found: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "losses", lambda self, batch: found)
    with pytest.raises(ConfigError, match=message):
        step_of(model_of())(batch_of(0))


@pytest.mark.parametrize("given", [batch_of(0), {"frames": torch.ones(2)}, torch.ones(2), "recent"])
@pytest.mark.usefixtures("unchecked")
def test_held_out_data_that_gives_no_batches_is_refused(given: Any) -> None:
    message = rf"HeldOut got a {type(given).__name__}; give it what gives batches when it is gone"
    with pytest.raises(ConfigError, match=message):
        HeldOut(given)


@pytest.mark.usefixtures("unchecked")
def test_a_held_out_function_may_return_any_iterable_and_nothing_else() -> None:
    batches = [batch_of(0), batch_of(1)]
    outer = HeldOut(lambda epoch, first: batches[first:])
    assert [outer.draw(batch_of(9)) is batch for batch in (*batches, batches[0])] == [True] * 3
    nothing: Any = lambda epoch, first: None  # noqa: E731
    with pytest.raises(ConfigError, match=r"HeldOut got returned a NoneType; return the batches"):
        HeldOut(nothing).draw(batch_of(9))


def test_meltr_lowers_a_harmful_weight() -> None:
    """One loss pulls against the primary one: its learned weight falls, a helpful one's rises."""

    class Pulled(nn.Module):
        primary = "match"

        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.zeros(3))

        def losses(self, batch: Batch) -> dict[str, Tensor]:
            away, near = self.w - torch.ones(3), self.w + torch.ones(3)
            return {
                "match": away.square().sum() / 2,
                "length": near.square().sum() / 4,
                "size": away.square().sum() / 4,
            }

    model = Pulled()
    combiner = LinearConfig(tasks=TASKS).build()
    step = Meltr(
        model,
        combiner,
        aid_fp_lite.Config().build(),
        held_out(),
        Settings(every=1, lr=0.02, gamma=0.0),
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for number in range(30):
        step(batch_of(number))
        optimizer.step()
        optimizer.zero_grad()
    weight = combiner.weight.tolist()
    assert weight[0] > 1.2
    assert weight[1] < 0.8
    assert weight[2] > 1.2
