"""The state of a run that a stranger made is refused, and not believed."""

import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from reeltune.errors import CheckpointError
from reeltune.meltr import combiner
from reeltune.nn.packed import FORMAT, read_packed
from reeltune.training.checkpoint import STATE, load_state

DEEP = "[" * 100_000
PLACES = {
    "deep": DEEP,
    "a list": "[]",
    "lists inside": '{"trend": [], "best": {}}',
    "other fields": '{"trend": {}, "best": [], "evil": 1}',
    "nothing": "",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_place_in_a_run_is_read_with_care(place: str, tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 2)
    save_file({"weight/weight": torch.zeros(2, 2)}, tmp_path / STATE, {"place": place})
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    with pytest.raises(CheckpointError, match=r"state\.safetensors cannot be read .*delete it to"):
        load_state(tmp_path, "me", dict(layer.named_parameters()), optimizer)


def test_a_state_without_metadata_or_with_a_false_header_is_refused(tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(torch.nn.Linear(2, 2).parameters(), lr=1.0)
    save_file({"a": torch.zeros(1)}, tmp_path / STATE)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_state(tmp_path, "me", {}, optimizer)
    (tmp_path / STATE).write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_state(tmp_path, "me", {}, optimizer)


def facts(**changes: object) -> str:
    given = {"dtype": "float32", "shape": [4], "sparse": False, "scaled": False} | changes
    return json.dumps({"a": given})


PLANS = {
    "deep": DEEP,
    "a list": "[]",
    "facts that are none": '{"a": 3}',
    "another type": facts(dtype="object"),
    "a negative shape": facts(shape=[-4]),
    "more values than any memory": facts(shape=[1 << 50], sparse=True),
    "more values than there are bits": facts(shape=[1 << 30], sparse=True),
    "more values than the file": facts(shape=[1 << 30]),
    "a shape of letters": facts(shape="four"),
    "the same as another that is not there": '{"a": {"same": "b"}}',
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_packed_tensors_are_not_taken_at_their_word(plan: str, tmp_path: Path) -> None:
    path = tmp_path / "model.packed.safetensors"
    parts = {"a|bits": torch.zeros(1, dtype=torch.uint8), "a|values": torch.zeros(0)}
    save_file({**parts, "a|dense": torch.zeros(4)}, path, {"format": FORMAT, "tensors": facts()})
    assert read_packed(path)["a"].tolist() == [0.0] * 4
    save_file({**parts, "a|dense": torch.zeros(4)}, path, {"format": FORMAT, "tensors": plan})
    with pytest.raises(CheckpointError, match=r"packed\.safetensors"):
        read_packed(path)


@pytest.mark.parametrize("config", [DEEP, "[]", "{}", '{"kind": "evil.module"}'])
def test_weights_of_meltr_are_read_with_care(config: str, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "meltr.safetensors", {"meltr": config})
    with pytest.raises(CheckpointError, match=r"cannot be read as weights of meltr") as refused:
        combiner.load(tmp_path / "meltr.safetensors")
    assert "validation error" not in str(refused.value)
