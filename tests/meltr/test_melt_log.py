"""The log of one's own loop: a line for each batch and none twice, also where a loop goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reeltune.meltr import Melt
from reeltune.storage.run_log import LOG


def compute_losses(model: Any, batch: torch.Tensor) -> dict[str, torch.Tensor]:
    found = model(batch)
    return {"near": found.square().mean(), "small": found.abs().mean()}


def melting() -> Melt:
    torch.manual_seed(0)
    return Melt(nn.Linear(3, 1), compute_losses, "near", [torch.ones(2, 3)])


def trained(melt: Melt, batches: range) -> None:
    for number in batches:
        melt.step(torch.full((2, 3), float(number)))


def lines_in(folder: Path) -> list[tuple[str, int]]:
    lines = map(json.loads, (folder / LOG).read_text("utf-8").splitlines())
    return [(line["kind"], line["step"]) for line in lines]


def one_epoch(after: int, length: int = 4) -> list[tuple[str, int]]:
    return [("step", after + number) for number in range(1, length + 1)]


@pytest.mark.parametrize("loaded", ["first", "last", "in the same loop"])
def test_a_loop_that_goes_on_from_a_state_logs_no_batch_twice(tmp_path: Path, loaded: str) -> None:
    melt = melting()
    melt.log(tmp_path)
    trained(melt, range(4))
    state = melt.state_dict()  # before the end of the epoch is logged, or after it
    melt.log(tmp_path)
    trained(melt, range(4, 7))  # and then the loop is killed
    if loaded != "in the same loop":
        melt = melting()
    if loaded == "last":
        melt.log(tmp_path)
    melt.load_state_dict(state)
    if loaded == "first":
        melt.log(tmp_path)
    trained(melt, range(4, 8))
    melt.log(tmp_path)
    assert lines_in(tmp_path) == [*one_epoch(0), ("epoch", 4), *one_epoch(4), ("epoch", 8)]


def test_a_log_without_a_state_is_gone_on_with_after_its_last_whole_line(tmp_path: Path) -> None:
    melt = melting()
    melt.log(tmp_path)
    trained(melt, range(2))
    with (tmp_path / LOG).open("a", encoding="utf-8") as file:
        file.write('{"kind": "step", "st')
    melt = melting()
    melt.log(tmp_path)
    trained(melt, range(2))
    assert lines_in(tmp_path) == one_epoch(0)
