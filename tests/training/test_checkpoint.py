"""The state file: whole or absent, of this run, and named where it is broken."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reeltune.errors import CheckpointError
from reeltune.training.checkpoint import STATE, Place, load_state, state_of
from reeltune.training.schedule import Score

PLACE = Place(
    "mine", step=7, epoch=2, batch=3, best=Score(0.1 + 0.2, 0.3), best_epoch=1, seconds=1.5
)


def parts(seed: int) -> tuple[dict[str, nn.Parameter], torch.optim.AdamW]:
    """Two weights, one of which has been trained for three steps."""
    torch.manual_seed(seed)
    weights = {"a": nn.Parameter(torch.randn(3)), "b": nn.Parameter(torch.randn(2, 2))}
    optimizer = torch.optim.AdamW(weights.values())
    for _ in range(3):
        weights["a"].grad = torch.randn(3)
        optimizer.step()
    return weights, optimizer


def best(seed: int) -> dict[str, Tensor]:
    return {"a": torch.full((3,), float(seed)), "b": torch.zeros(2, 2)}


def load(folder: Path, weights: Any, optimizer: Any) -> tuple[Place, dict[str, Tensor]]:
    found = load_state(folder, "mine", weights, optimizer)
    assert found is not None
    return found


def test_what_was_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    weights, optimizer = parts(0)
    state_of(PLACE, weights, optimizer, best(4)).write(tmp_path)
    draws = torch.rand(5)
    others, other = parts(1)
    place, found = load(tmp_path, others, other)
    assert place == PLACE
    assert torch.equal(torch.rand(5), draws)
    assert {name: t.tolist() for name, t in found.items()} == {
        name: t.tolist() for name, t in best(4).items()
    }
    for name, weight in weights.items():
        assert torch.equal(others[name], weight)
    state, loaded = (o.state[w["a"]] for o, w in ((optimizer, weights), (other, others)))
    assert state.keys() == loaded.keys()
    assert all(torch.equal(state[key], loaded[key]) for key in state)
    assert weights["b"] not in optimizer.state
    assert not other.state.get(others["b"])


def test_only_the_last_state_stays(tmp_path: Path) -> None:
    weights, optimizer = parts(0)
    for step in range(3):
        state_of(Place("mine", step=step), weights, optimizer, {}).write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [STATE]
    assert load(tmp_path, *parts(0))[0].step == 2


def test_a_folder_without_state_gives_none(tmp_path: Path) -> None:
    assert load_state(tmp_path, "mine", *parts(0)) is None


def test_a_half_written_state_of_another_process_is_not_read(tmp_path: Path) -> None:
    (tmp_path / f".{STATE}.123").write_bytes(b"half")
    assert load_state(tmp_path, "mine", *parts(0)) is None


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"", lambda b: b"\xff" * len(b)])
def test_a_broken_state_is_named(tmp_path: Path, damage: Any) -> None:
    state_of(PLACE, *parts(0), best(0)).write(tmp_path)
    path = tmp_path / STATE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"state\.safetensors cannot be read .*start anew"):
        load_state(tmp_path, "mine", *parts(0))


def test_another_run_and_another_model_are_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    state_of(PLACE, *parts(0), best(0)).write(tmp_path)
    weights, optimizer = parts(1)
    before = weights["a"].detach().clone()
    with pytest.raises(CheckpointError, match="belongs to another run"):
        load_state(tmp_path, "another", weights, optimizer)
    for wrong in ({**weights, "c": weights["b"]}, {**weights, "b": nn.Parameter(torch.zeros(5))}):
        with pytest.raises(CheckpointError, match="with other settings, data or model"):
            load_state(tmp_path, "mine", wrong, optimizer)
    assert torch.equal(weights["a"], before)
