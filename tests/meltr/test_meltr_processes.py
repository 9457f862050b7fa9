"""Two real processes: the hypergradient of the whole batch, and one MELTR on all ranks."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from two_meltr_processes import SETTINGS, hypergradients, melted

SCRIPT = Path(__file__).with_name("two_meltr_processes.py")
Found = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def ranks(folder: Path) -> Found:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    path = [str(SCRIPT.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join(path),  # for the oracles, which pytest finds by itself
    }
    done = subprocess.run(
        [*launch, str(SCRIPT), str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("way", SETTINGS)
def test_hypergradients_of_two_halves_are_those_of_the_whole_batch(way: str, ranks: Found) -> None:
    """Each process has half the rows; v, c and the losses are means over both."""
    assert [found["world"] for found in ranks] == [2, 2]
    whole = hypergradients(slice(None))
    for scheme in ("c", "lite", "cg", "itd"):
        wanted = whole[f"{scheme} {way}"].detach()
        for found in ranks:
            got = found["hypergradients"][f"{scheme} {way}"]
            scale = float(wanted.abs().max())
            torch.testing.assert_close(got, wanted, rtol=0.0, atol=1e-6 * scale)


def test_meltr_is_the_same_to_the_bit_on_both_ranks(ranks: Found) -> None:
    """After hypergradients from other batches, and other dropout in MELTR, on each."""
    first, second = (found["hypergradients"] for found in ranks)
    assert all(torch.equal(part, second[name]) for name, part in first.items())
    first, second = (found["trained"] for found in ranks)
    assert torch.equal(first["phi"], second["phi"])
    assert torch.equal(first["weights"], second["weights"])


def test_meltr_starts_the_same_on_both_ranks(ranks: Found) -> None:
    assert torch.equal(ranks[0]["started"], ranks[1]["started"])


@pytest.mark.parametrize("by_update", [False, True], ids=["step", "update"])
def test_a_loop_with_ddp_is_that_of_one_process_on_the_whole_batch(
    by_update: bool, ranks: Found
) -> None:
    """Gradients by DistributedDataParallel, meta steps by the module within it."""
    wanted = melted(slice(None), joined=False, by_update=by_update)
    first, second = (found["melted"][by_update] for found in ranks)
    for name, tensor in wanted.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], tensor.detach(), rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("by_update", [False, True], ids=["step", "update"])
def test_a_log_of_several_processes_is_that_of_one_on_the_whole_batch(
    by_update: bool, ranks: Found, folder: Path, tmp_path: Path
) -> None:
    """The first process alone writes it, with means over all."""
    melted(slice(None), joined=False, by_update=by_update, folder=tmp_path)
    kept = folder / f"log{by_update:d}"
    assert sorted(path.name for path in kept.iterdir()) == ["log.jsonl", "meltr.safetensors"]
    lines, wanted = (
        [json.loads(line) for line in (place / "log.jsonl").read_text("utf-8").splitlines()]
        for place in (kept, tmp_path)
    )
    assert [line["kind"] for line in lines] == ["step"] * 5 + ["epoch"]
    for line, one in zip(lines, wanted, strict=True):
        assert line.keys() == one.keys()
        timeless = {
            name: value for name, value in one.items() if name not in ("meta seconds", "time")
        }
        for name, value in timeless.items():
            assert line[name] == (pytest.approx(value, abs=1e-5) if type(value) is float else value)


def test_sharded_models_are_refused_with_what_to_do(ranks: Found) -> None:
    why = "is sharded by FSDP, and MELTR needs whole weights in every process; wrap the model in "
    for found in ranks:
        assert found["refused"] == [
            f"{which} {why}torch.nn.parallel.DistributedDataParallel instead"
            for which in ("the model", "the model", "body", "body")
        ]


def test_no_thread_of_the_group_outlives_it(ranks: Found) -> None:
    """One that does may abort its process, which then counts as failed although all was done."""
    for found in ranks:
        assert not [name for name in found["threads"] if "gloo" in name]
