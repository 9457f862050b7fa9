"""A run killed at random moments ends as one that was left alone, bit for bit."""

import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_run import Footage, Small

from reeltune.training.checkpoint import STATE
from reeltune.training.log import read_log
from reeltune.training.loop import train
from sudden_end import end_soon
from warm_processes import warm

KILLS = 4
STEPS = 6 * 10


class Scores:
    """Validation of a run of several processes: figures that depend on the epoch's weights."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self) -> dict[str, float]:
        return {"SumR": float(sum(w.detach().abs().sum() for w in self.model.trained().values()))}


class Ends:
    """Watches a run, and has its process end a little after that many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def prepare(self, what: str, done: int, total: int) -> None:
        pass

    def say(self, sentence: str) -> None:
        pass

    def begin(self, done: int, steps: int) -> None:
        self.left = max(self.left - done, 1)

    def step(self, facts: dict[str, float]) -> None:
        self.left -= 1
        if self.left == 0:
            end_soon()

    def epoch(self, facts: dict[str, float]) -> None:
        pass


def go_on(footage: Footage, folder: Path, save_minutes: float, ends_after: int | None) -> None:
    """Train until the end, or until a little after that many steps in all."""
    torch.set_num_threads(1)
    small = Small(settings={"epochs": 10, "chunk": 3, "save_minutes": save_minutes})
    small.options["validate"] = Scores(small.model)
    small.options["watcher"] = None if ends_after is None else Ends(ends_after)
    with footage.reader() as reader:
        train(small.run(reader, footage.pairs(), folder))


@pytest.fixture(scope="module")
def processes() -> Any:
    return warm()


def run(processes: Any, *arguments: object, ends_after: int | None = None) -> int:
    """Exit code of a run, left alone or ended a little after that many steps."""
    process = processes.Process(target=go_on, args=(*arguments, ends_after))
    process.start()
    process.join(200)
    return int(process.exitcode)


def without_times(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k != "clips/s"} for line in read_log(folder)]


@pytest.fixture(scope="module")
def alone(footage: Footage, processes: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    assert run(processes, footage, folder, 60.0) == 0
    return folder


@pytest.mark.parametrize("save_minutes", [0.0, 60.0], ids=["every step", "every epoch"])
def test_a_run_that_was_killed_ends_as_one_that_was_left_alone(
    save_minutes: float, footage: Footage, alone: Path, processes: Any, tmp_path: Path
) -> None:
    """Weights, moments of the optimizer, best weights, generators and log."""
    for kill in range(KILLS):
        least = STEPS * (kill + 1) // (KILLS + 2) + random.randrange(6)
        code = run(processes, footage, tmp_path, save_minutes, ends_after=least)
        assert code == -signal.SIGALRM
    assert run(processes, footage, tmp_path, save_minutes) == 0
    got, wanted = load_file(tmp_path / STATE), load_file(alone / STATE)
    assert got.keys() == wanted.keys()
    assert any(name.startswith("optimizer/exp_avg_sq/") for name in got)
    for name, tensor in wanted.items():
        assert torch.equal(got[name], tensor), name
    assert without_times(tmp_path) == without_times(alone)
    assert len(without_times(alone)) == STEPS + 10
