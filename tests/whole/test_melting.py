"""MELTR in a run: it learns beside the model, its weights are kept, and a run goes on with them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reeltune.errors import ConfigError
from reeltune.meltr.combiner import load
from reeltune.recipes.read import read_recipe
from reeltune.runs.learning import MELTR
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.training.log import read_log

TASKS = ("triplet_latent", "triplet_concept", "concepts_video", "concepts_text")


class Stopper:
    """A watcher that presses Ctrl-C at a step."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def begin(self, step: int, steps: int) -> None: ...

    def step(self, said: dict[str, float]) -> None:
        self.steps += 1
        if self.steps == self.at:
            import signal

            signal.raise_signal(signal.SIGINT)

    def epoch(self, found: dict[str, float]) -> None: ...

    def prepare(self, what: str, done: int, total: int) -> None: ...

    def say(self, sentence: str) -> None: ...


def small(**more: object) -> Any:
    changes = {"training.batch": 8, "training.epochs": 3, "options.size": "tiny", **more}
    return read_recipe("toybox/dual-encoding-meltr", {**changes, "meltr.step.every": 2})


def test_a_warm_start_is_near_the_sum_and_changes_no_draw(tmp_path: Path) -> None:
    sizes = {"width": 32, "scale_width": 32, "feedforward": 32}
    first = []
    for steps in (0, 300):
        own = {"training.epochs": 1, "meltr.sizes": sizes, "meltr.warm_start": steps}
        run_recipe(small(**own), RunPlace(out=tmp_path / str(steps)))
        first.append(next(r for r in read_log(tmp_path / str(steps)) if r["kind"] == "step"))
    cold, warm = first
    assert {task: cold[task] for task in TASKS} == {task: warm[task] for task in TASKS}
    assert max(abs(warm[f"slope {task}"] - 1) for task in TASKS) < 0.3
    assert max(abs(cold[f"slope {task}"] - 1) for task in TASKS) > 0.6


@pytest.mark.parametrize("other", [{"meltr.kind": "linear"}, {"meltr.scheme": "multi-task"}])
def test_what_is_the_sum_already_is_not_started_warm(other: dict[str, object]) -> None:
    unread = r"meltr\.warm_start is not read under meltr\.(kind=linear|scheme=multi-task)"
    with pytest.raises(ConfigError, match=unread):
        small(**other, **{"meltr.warm_start": 5})


def test_meltr_learns_and_a_stopped_run_ends_the_same(tmp_path: Path) -> None:
    run_recipe(small(), RunPlace(out=tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        run_recipe(small(), RunPlace(out=tmp_path / "stopped", watcher=Stopper(5)))
    run_recipe(small(), RunPlace(out=tmp_path / "stopped"))
    for name in (MELTR, "model.safetensors"):
        whole, again = (load_file(tmp_path / run / name) for run in ("whole", "stopped"))
        assert all(torch.equal(whole[key], again[key]) for key in whole), name
    combiner = load(tmp_path / "whole" / MELTR, TASKS)
    torch.manual_seed(0)
    assert not torch.equal(combiner.fc1.weight, torch.zeros_like(combiner.fc1.weight))
    steps = [line for line in read_log(tmp_path / "whole") if line["kind"] == "step"]
    assert steps[0]["meta gradient"] == 0, "meltr moved before its first meta step"
    assert steps[-1]["meta gradient"] > 0
    assert {f"slope {task}" for task in TASKS} <= set(steps[0])


def test_weights_by_hand_are_not_for_what_is_learned() -> None:
    unread = r"weights\.triplet_latent is not read under meltr\.scheme=aid-fp-lite.*multi-task"
    with pytest.raises(ConfigError, match=unread):
        small(**{"meltr.weights": {"triplet_latent": 8.0}})


def test_a_chunk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.chunk is 4, which is not read by the step"):
        run_recipe(small(**{"training.chunk": 4}), RunPlace(out=tmp_path))


class Clips(Stopper):
    """Remembers what was read before the first step."""

    def __init__(self) -> None:
        super().__init__(at=0)
        self.read: set[str] = set()

    def prepare(self, what: str, done: int, total: int) -> None:
        self.read |= {what} - {"making clips"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"meltr.sizes.heads": 7}, r"meltr\.sizes\.width is 256, which 7 heads .*\.width=259"),
        ({"meltr.sizes.wdith": 7}, r"no setting meltr\.sizes\.wdith; .* --set meltr\.sizes\.width"),
        ({"meltr.sizes": {"scale": False, "task": False}}, r"--set meltr\.sizes\.scale=true"),
        (
            {"meltr.scheme": "multi-task", "meltr.weights.triplet": 2.0},
            r"meltr\.weights names \['triplet'\], but the losses of the model are \['triplet_lat",
        ),
    ],
)
def test_a_combiner_that_cannot_be_built_is_refused_before_any_clip_is_read(
    changes: dict[str, object], told: str, tmp_path: Path
) -> None:
    watcher = Clips()
    with pytest.raises(ConfigError, match=told):
        run_recipe(
            read_recipe("toybox/dual-encoding-meltr", {"options.size": "tiny", **changes}),
            RunPlace(out=tmp_path, watcher=watcher),
        )
    assert watcher.read == set()
