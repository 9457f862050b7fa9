"""Two real processes on one batch give the gradients, and the weights, of one process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from small_run import Footage, batch_of
from two_processes import BATCH, CHUNKS, MODELS, weighed
from weighed_losses import ALL

from reeltune.training import distributed
from reeltune.training.log import read_log
from reeltune.training.step import Contrast

SCRIPT = Path(__file__).with_name("two_processes.py")
Found = list[dict[str, Any]]


@pytest.fixture(scope="module")
def out(footage: Footage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the two processes wrote."""
    folder = tmp_path_factory.mktemp("processes")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = [str(SCRIPT), str(footage.toybox), str(footage.cache), str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*launch, *arguments], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def ranks(out: Path) -> Found:
    return [torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


def test_there_were_two(ranks: Found) -> None:
    assert [found["world"] for found in ranks] == [2, 2]


@pytest.mark.parametrize("way", CHUNKS)
@pytest.mark.parametrize("kind", MODELS)
def test_gradients_of_two_processes_are_those_of_one(
    kind: str, way: str, ranks: Found, footage: Footage
) -> None:
    """Every trainable weight, the temperature of `full` too; not half of it, nor twice."""
    model: Any = MODELS[kind]()
    Contrast(model)(batch_of(footage, BATCH, model))
    wanted = {n: w.grad for n, w in model.named_parameters() if w.grad is not None}
    assert wanted.keys() == {n for n, w in model.named_parameters() if w.requires_grad}
    assert ("clip.towers.logit_scale" in wanted) == (kind == "full")
    least = 1e-2 * max(float(gradient.abs().max()) for gradient in wanted.values())
    for found in ranks:
        got = found["gradients"][f"{kind} {way}"]
        assert got.keys() == wanted.keys()
        for name, gradient in wanted.items():
            atol = 1e-5 * max(float(gradient.abs().max()), least)
            torch.testing.assert_close(got[name], gradient, rtol=0, atol=atol)


@pytest.mark.parametrize("name", ALL)
def test_two_processes_weigh_the_losses_of_the_whole_batch(name: str, ranks: Found) -> None:
    assert torch.equal(*(found["weighed"][name]["slopes"] for found in ranks))
    alone = weighed(0, 1)[name]
    for key, wanted in alone.items():
        torch.testing.assert_close(
            ranks[0]["weighed"][name][key], wanted, rtol=1e-3, atol=1e-5, msg=key
        )


def test_gather_has_the_gradient_of_finite_differences(ranks: Found) -> None:
    for found in ranks:
        torch.testing.assert_close(
            found["gather"]["got"], found["gather"]["wanted"], atol=1e-7, rtol=0
        )


def test_gather_leaves_a_gradient_alone_that_others_hold(ranks: Found) -> None:
    """Each of two ranks asks 1 of each row."""
    for found in ranks:
        assert (found["shared"] == 2).all()


def test_gather_keeps_the_order_of_ranks(ranks: Found) -> None:
    for found in ranks:
        assert found["gathered"]["rows"][:, 0].tolist() == [0, 0, 1, 1]
        assert found["gathered"]["ids"].tolist() == [0, 1, 10, 11]


def test_a_weight_that_one_rank_does_not_reach_counts_there_as_zero(ranks: Found) -> None:
    for found in ranks:
        assert found["unreached"].tolist() == [1, 2, 3]


def test_all_weights_are_the_same_after_a_run_that_began_with_different_ones(ranks: Found) -> None:
    first, second = (found["trained"] for found in ranks)
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


def test_only_the_first_process_writes(out: Path) -> None:
    assert {path.name for path in (out / "run").iterdir()} == {"log.jsonl", "state.safetensors"}
    assert [line["step"] for line in read_log(out / "run") if line["kind"] == "step"] == [1, 2, 3]


def test_one_process_alone_gathers_and_averages_nothing() -> None:
    rows = torch.ones(2, 3, requires_grad=True)
    assert distributed.start() == (0, 1)
    assert distributed.gather(rows) is rows
    assert distributed.gather_ids(rows) is rows
    distributed.average_gradients([rows])
    assert rows.grad is None
