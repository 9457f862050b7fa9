"""The loop: it learns, stops, judges, and says what it did."""

import json
import shlex
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_run import Footage, Small, prompted, unfrozen
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from reeltune.batches.loader import FrameReader
from reeltune.cli.options import changes_of
from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.settings.unread import switch
from reeltune.training import interrupts, loop
from reeltune.training.checkpoint import STATE
from reeltune.training.log import read_log
from reeltune.training.loop import Run, train
from reeltune.training.step import Sum
from reeltune.types import Batch, Pair


class Scores:
    """Validation that gives one figure after the other, and keeps the weights it saw."""

    def __init__(self, model: Any, *scores: float) -> None:
        self.model, self.scores = model, scores
        self.seen: list[dict[str, Tensor]] = []

    def __call__(self) -> dict[str, float]:
        assert not self.model.training
        self.seen.append(weights(self.model))
        return {"SumR": self.scores[len(self.seen) - 1], "R@1": 0.5}


class Stopper:
    """A watcher that presses Ctrl-C at a step."""

    def __init__(self, at: int, times: int = 1) -> None:
        self.at, self.times, self.steps = at, times, 0

    def prepare(self, what: str, done: int, total: int) -> None: ...

    def say(self, sentence: str) -> None: ...

    def begin(self, done: int, steps: int) -> None:
        self.steps = done

    def step(self, facts: dict[str, float]) -> None:
        self.steps += 1
        for _ in range(self.times if self.steps == self.at else 0):
            signal.raise_signal(signal.SIGINT)

    def epoch(self, facts: dict[str, float]) -> None: ...


def weights(model: Any) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def is_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(w, second[n]) for n, w in first.items()
    )


@pytest.fixture
def pairs(footage: Footage) -> tuple[Pair, ...]:
    return tuple(footage.pairs())


def first_videos(pairs: tuple[Pair, ...], count: int) -> list[Pair]:
    """One pair of each of the first videos."""
    return list({pair.video: pair for pair in pairs}.values())[:count]


def test_eight_videos_are_learned(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    """Chance is a loss of log 8 = 2.08; steps scatter by far less than what is learned."""
    settings = {"batch": 8, "epochs": 60, "lr": 0.003, "weight_decay": 0.0}
    train(Small(unfrozen(), settings).run(reader, first_videos(pairs, 8), tmp_path))
    losses = [line["loss"] for line in read_log(tmp_path) if line["kind"] == "step"]
    assert len(losses) == 60
    assert min(losses[:3]) > 1.8
    assert max(losses[-5:]) < 1.0


def test_frozen_weights_stay_as_they_are(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    model = prompted()
    before = weights(model)
    train(Small(model, {"epochs": 1}).run(reader, pairs, tmp_path))
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]) != weight.requires_grad, name


def test_the_log_holds_every_step_and_every_epoch(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    model = prompted()
    small = Small(model, {"epochs": 2}, {"validate": Scores(model, 1.0, 2.0)})
    outcome = train(small.run(reader, pairs, tmp_path))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == 2 * [*6 * ["step"], "epoch"]
    steps = [line for line in lines if line["kind"] == "step"]
    assert [line["step"] for line in steps] == list(range(1, 13))
    facts = {"kind", "step", "loss", "contrastive", "lr", "gradient", "clips/s"}
    assert all(line.keys() == facts for line in steps)
    assert all(line["clips/s"] > 0 and line["gradient"] > 0 for line in steps)
    assert max(line["lr"] for line in steps) <= 0.01
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert epochs == [
        {"kind": "epoch", "step": 6, "epoch": 0.0, "SumR": 1.0, "R@1": 0.5},
        {"kind": "epoch", "step": 12, "epoch": 1.0, "SumR": 2.0, "R@1": 0.5},
    ]
    assert outcome.history == [{"epoch": e, "SumR": e + 1, "R@1": 0.5} for e in (0.0, 1.0)]
    assert (outcome.steps, outcome.best_epoch, outcome.best) == (12, 1, 2.0)
    assert outcome.seconds > 0


def test_the_best_weights_are_taken_and_not_the_last(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    model = prompted()
    scores = Scores(model, 1.0, 3.0, 3.0, 2.0)  # of equals, the first
    outcome = train(Small(model, options={"validate": scores}).run(reader, pairs, tmp_path))
    assert (outcome.best_epoch, outcome.best) == (1, 3.0)
    assert is_equal(weights(model), scores.seen[1])
    assert not is_equal(weights(model), scores.seen[3])
    assert not model.training


def test_without_validation_the_last_weights_are_taken(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    assert train(Small().run(reader, pairs, tmp_path)).best_epoch == 3


@pytest.mark.parametrize(
    ("patience", "scores", "epochs"),
    [(1, (3, 2, 9, 9), 2), (2, (1, 3, 2, 2), 4), (2, (3, 2, 2, 9), 3), (2, (3, 2, 4, 3), 4)],
)
def test_a_run_stops_when_patience_is_lost(
    patience: int,
    scores: tuple[float, ...],
    epochs: int,
    reader: FrameReader,
    pairs: tuple[Pair, ...],
    tmp_path: Path,
) -> None:
    model = prompted()
    options = {"validate": Scores(model, *map(float, scores))}
    small = Small(model, {"patience": patience}, options)
    assert len(train(small.run(reader, pairs, tmp_path)).history) == epochs
    again = train(Small(model, {"patience": patience}, options).run(reader, pairs, tmp_path))
    assert (again.steps, again.history) == (6 * epochs, []), "a run that had stopped went on"


def test_other_figures_can_judge(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    model = prompted()
    small = Small(model, {"judged_by": "R@1"}, {"validate": Scores(model, 1.0, 2.0, 3.0, 4.0)})
    assert train(small.run(reader, pairs, tmp_path)).best_epoch == 0


def test_a_figure_that_validation_lacks_is_named(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    model = prompted()
    small = Small(model, {"judged_by": "mAP"}, {"validate": Scores(model, 1.0)})
    message = r"judged by 'mAP', which validation .*; give --set training\.judged_by one of .*SumR"
    with pytest.raises(ConfigError, match=message):
        train(small.run(reader, pairs, tmp_path))


def test_a_figure_that_is_not_finite_is_named(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    model = prompted()
    options = {"validate": Scores(model, float("nan"))}
    with pytest.raises(DataError, match=r"SumR of epoch 0 is nan.*look at the scores"):
        train(Small(model, options=options).run(reader, pairs, tmp_path))


def test_a_loss_that_is_not_finite_is_named_and_nothing_is_stepped(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    model = prompted()
    with torch.no_grad():
        next(iter(model.trained().values())).view(-1)[0] = float("nan")
    before = weights(model)
    message = r"the loss contrastive of step 1 is nan; look for .*, lower --set training\.lr"
    with pytest.raises(DataError, match=message):
        train(Small(model).run(reader, pairs, tmp_path))
    for name, weight in model.named_parameters():
        assert torch.equal(weight.nan_to_num(), before[name].nan_to_num()), name
    assert not (tmp_path / STATE).exists()


class Overflowing:
    """A step whose loss is finite, and whose gradient is not."""

    reads = frozenset({"precision", "chunk"})

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, batch: Batch, share: float = 1.0) -> dict[str, float]:
        for weight in self.model.trained().values():
            weight.grad = torch.full_like(weight, float("inf"))
        return {"loss": 1.0}


def test_a_gradient_that_is_not_finite_is_named(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    model = prompted()
    message = r"the gradient of step 1 is not finite at a learning rate of 0\.00"
    with pytest.raises(DataError, match=message):
        train(Small(model, options={"step": Overflowing(model)}).run(reader, pairs, tmp_path))


def test_of_epochs_that_validation_cannot_tell_apart_the_widest_margin_is_taken(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    """And patience is not lost while the margin grows."""
    model = prompted()
    margins = iter([0.1, 0.2, 0.4, 0.3])
    options = {"validate": lambda: {"SumR": 600.0, "margin": next(margins)}, "finer": "margin"}
    outcome = train(Small(model, {"patience": 1}, options).run(reader, pairs, tmp_path))
    assert (outcome.best_epoch, len(outcome.history)) == (2, 4)


def test_without_a_finer_figure_the_first_of_equal_epochs_is_taken(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    margins = iter([0.1, 0.2, 0.4, 0.3])
    options = {"validate": lambda: {"SumR": 600.0, "margin": next(margins)}}
    outcome = train(Small(prompted(), {}, options).run(reader, pairs, tmp_path))
    assert outcome.best_epoch == 0


UNREAD: list[tuple[dict[str, Any], bool, str]] = [
    (
        {"chunk": 4},
        True,
        r"training\.chunk is 4, which is not read by the step that trains these losses; leave it "
        r"out, or give the default: --set training\.chunk=null$",
    ),
    (
        {"every_caption": True, "neighbours": 4},
        True,
        r"training\.neighbours is 4, which is not read under training\.every_caption=true, .*"
        r"no negatives of each other; .*--set training\.neighbours=1$",
    ),
    (
        {"schedule": "halve", "warmup": 0.3},
        True,
        r"training\.warmup is 0\.3, which is not read under training\.schedule=halve; .*"
        r"--set training\.warmup=0\.1$",
    ),
    (
        {"judged_by": "R@1", "patience": 3},
        False,
        r"training\.judged_by is R@1, which is not read without a validation split, and "
        r"training\.patience is 3, .*--set training\.judged_by=null --set training\.patience=null$",
    ),
    (
        {"schedule": "reload"},
        False,
        r"training\.schedule is reload, which is not read without a validation split, whose "
        r"figures it follows; .*--set training\.schedule=cosine$",
    ),
]


@pytest.mark.parametrize(("settings", "validates", "message"), UNREAD)
def test_a_setting_that_nothing_reads_is_refused_with_the_switch_that_takes_it_back(
    settings: dict[str, Any],
    validates: bool,
    message: str,
    reader: FrameReader,
    pairs: tuple[Pair, ...],
    tmp_path: Path,
) -> None:
    model = prompted()
    validate = Scores(model, 1.0) if validates else None
    small = Small(model, settings, {"step": Sum(model), "validate": validate})
    with pytest.raises(ConfigError, match=message):
        train(small.run(reader, pairs, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_switch_that_a_message_gives_can_be_pasted_into_a_shell() -> None:
    rates = {"lstm": 3e-4, "text.embedding": 0.5}
    words = shlex.split(switch("training.rates", rates))
    assert words[0] == "--set"
    assert changes_of([words[1]]) == {"training.rates": rates}
    assert switch("training.chunk", None) == "--set training.chunk=null"


def test_weights_with_a_rate_of_their_own_follow_the_same_schedule_and_the_log_says_both(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    model = prompted()
    settings = {"rates": {"lstm": 0.001}, "epochs": 1, "weight_decay": 0.0}
    train(Small(model, settings).run(reader, pairs, tmp_path))
    steps = [line for line in read_log(tmp_path) if line["kind"] == "step"]
    assert [line["lr lstm"] for line in steps] == pytest.approx([line["lr"] / 10 for line in steps])


def test_a_rate_of_zero_keeps_the_weights_of_its_pattern_as_they_are(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    model = prompted()
    before = weights(model)
    train(Small(model, {"rates": {"lstm": 0.0}, "epochs": 1}).run(reader, pairs, tmp_path))
    changed = {
        name for name, weight in weights(model).items() if not torch.equal(weight, before[name])
    }
    assert changed == {name for name in model.trained() if "lstm" not in name}


def test_accumulated_batches_are_one_step(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    """Four of six batches make a step, and the two left over make none."""
    outcome = train(Small(settings={"accumulate": 4}).run(reader, pairs, tmp_path))
    assert outcome.steps == 4


def test_more_accumulated_batches_than_an_epoch_has_are_refused(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    message = (
        r"an epoch has too few batches for a step, 6 where it takes 7; lower "
        r"--set training\.accumulate or"
    )
    with pytest.raises(DataError, match=message):
        train(Small(settings={"accumulate": 7}).run(reader, pairs, tmp_path))


def test_gradients_are_clipped_to_their_norm(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    """What the optimizer sees is clipped; what the log says is the norm before."""
    small = Small(unfrozen(), {"clip_norm": 1e-3, "epochs": 1})
    seen: list[float] = []

    def note(optimizer: Any, *_: Any) -> None:
        grads = [w.grad for group in optimizer.param_groups for w in group["params"]]
        seen.append(float(torch.stack([g.norm() for g in grads if g is not None]).norm()))

    hook = register_optimizer_step_pre_hook(note)
    train(small.run(reader, pairs, tmp_path))
    hook.remove()
    assert seen == pytest.approx([1e-3] * 6, rel=1e-2)
    assert min(line["gradient"] for line in read_log(tmp_path) if line["kind"] == "step") > 1e-2


def test_another_runs_folder_is_refused(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    train(Small(settings={"epochs": 1}).run(reader, pairs, tmp_path))
    before = (tmp_path / STATE).read_bytes()
    message = r"state\.safetensors belongs to another run.*name another folder, or delete it"
    with pytest.raises(CheckpointError, match=message):
        train(Small(options={"identity": "another"}).run(reader, pairs, tmp_path))
    assert (tmp_path / STATE).read_bytes() == before


@pytest.mark.parametrize(("optimizer", "stops"), [("adamw", (3, 6, 20)), ("sgd", (20,))])
def test_ctrl_c_finishes_the_step_and_resuming_gives_the_same_weights(
    optimizer: str,
    stops: tuple[int, ...],
    reader: FrameReader,
    pairs: tuple[Pair, ...],
    tmp_path: Path,
) -> None:
    alone, settings = prompted(), {"optimizer": optimizer}
    train(Small(alone, settings).run(reader, pairs, tmp_path / "alone"))
    handler = signal.getsignal(signal.SIGINT)
    for at in stops:
        small = Small(settings=settings, options={"watcher": Stopper(at)})
        with pytest.raises(KeyboardInterrupt):
            train(small.run(reader, pairs, tmp_path / "stopped"))
        assert signal.getsignal(signal.SIGINT) is handler
        assert read_log(tmp_path / "stopped")[-1]["step"] == at
    model = prompted()
    outcome = train(Small(model, settings).run(reader, pairs, tmp_path / "stopped"))
    assert outcome.resumed_at == 20
    assert is_equal(weights(model), weights(alone))
    assert without_times(tmp_path / "stopped") == without_times(tmp_path / "alone")


def test_a_second_ctrl_c_does_not_wait_for_the_step(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    small = Small(options={"watcher": Stopper(at=1, times=2)})
    with pytest.raises(KeyboardInterrupt):
        train(small.run(reader, pairs, tmp_path))
    assert not (tmp_path / STATE).exists()


class Presses:
    """A step or validation that presses Ctrl-C when it is called for the `at`-th time, and takes
    far longer than people wait."""

    def __init__(self, does: Callable[..., Any], at: int) -> None:
        self.does, self.left = does, at
        self.reads = getattr(does, "reads", frozenset())

    def __call__(self, *arguments: Any) -> Any:
        self.left -= 1
        found = self.does(*arguments)
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)
            time.sleep(60)
        return found


@pytest.mark.parametrize(("what", "at"), [("validate", 2), ("step", 4)])
def test_what_takes_too_long_after_ctrl_c_is_broken_off_and_done_again(
    reader: FrameReader,
    pairs: tuple[Pair, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    at: int,
) -> None:
    monkeypatch.setattr(loop, "GRACE", 0.0)  # so that each step is taken for a slow one
    monkeypatch.setattr(interrupts, "GRACE", 0.1)
    judged: dict[str, Any] = {"options": {"validate": lambda: {"SumR": 1.0}}}
    alone = prompted()
    train(Small(alone, **judged).run(reader, pairs, tmp_path / "alone"))
    run = Small(**judged).run(reader, pairs, tmp_path / "stopped")
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        train(replace(run, **{what: Presses(getattr(run, what), at)}))
    assert time.monotonic() - began < 30
    model = prompted()
    outcome = train(Small(model, **judged).run(reader, pairs, tmp_path / "stopped"))
    assert outcome.resumed_at > 0
    assert is_equal(weights(model), weights(alone))
    assert without_times(tmp_path / "stopped") == without_times(tmp_path / "alone")


def test_a_run_in_another_thread_leaves_ctrl_c_to_the_main_one(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    run: Run = Small(settings={"epochs": 1}).run(reader, pairs, tmp_path)
    thread = threading.Thread(target=train, args=(run,))
    thread.start()
    thread.join(60)
    assert (tmp_path / STATE).exists()


def without_times(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k != "clips/s"} for line in read_log(folder)]


def test_a_run_needs_no_place_to_write(
    reader: FrameReader, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    """As of all processes but the first."""
    small = Small(settings={"epochs": 1, "save_minutes": 0.0}, options={"leads": False})
    assert train(small.run(reader, pairs, tmp_path)).steps == 6
    assert list(tmp_path.iterdir()) == []
