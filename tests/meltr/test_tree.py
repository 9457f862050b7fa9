"""Batches of any loader: walked through, moved, made flat and made whole again."""

from collections import OrderedDict, UserDict, namedtuple
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence
from transformers import BatchEncoding

from reeltune.errors import CheckpointError, DataError
from reeltune.nn.tree import device_in, mapped, on_device, pack, unpack
from reeltune.types import Batch, Tokens

Named = namedtuple("Named", "x y")


@dataclass(frozen=True)
class Inner:
    x: Tensor
    made: Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "made", 2 * self.x)


@dataclass(slots=True)
class Slotted:
    x: Tensor


def numbers(*values: float) -> Tensor:
    return torch.tensor(values)


TREES: dict[str, Any] = {
    "tensor": numbers(1, 2),
    "dict": {"a": numbers(1), "b": {"c": numbers(2)}, 3: "text", "n": None, "f": 1.5, "t": True},
    "tuple": (numbers(1), [numbers(2), 7], ()),
    "ordered": OrderedDict(b=numbers(1), a=numbers(2)),
    "user": UserDict({"x": numbers(1)}),
    "proxy": MappingProxyType({"x": numbers(1)}),
    "encoding": BatchEncoding({"input_ids": torch.ones(1, 2).long()}),
    "named": Named(numbers(1), numbers(2)),
    "frozen": Inner(numbers(3)),
    "slotted": [Slotted(numbers(4))],
    "packed": pack_sequence([numbers(1, 2), numbers(3)]),
    "batch": Batch(
        torch.ones(2, 1, 3),
        torch.ones(2, 1).bool(),
        Tokens(torch.ones(2, 4).long(), torch.ones(2, 4).bool()),
        torch.arange(2),
        {"extra": numbers(5)},
    ),
}


def told(tree: Any) -> str:
    """Everything about a tree: classes, keys and numbers."""
    if isinstance(tree, dict | UserDict | MappingProxyType):
        return f"{type(tree)} { {key: told(part) for key, part in tree.items()} }"
    if isinstance(tree, list | tuple):
        return f"{type(tree)} {[told(part) for part in tree]}"
    if isinstance(tree, Slotted):
        return f"{type(tree)} {told(tree.x)}"
    if hasattr(tree, "__dict__") and not isinstance(tree, Tensor):
        return f"{type(tree)} { {name: told(part) for name, part in vars(tree).items()} }"
    return f"{type(tree)} {tree}"


@pytest.mark.parametrize("name", TREES)
def test_a_packed_tree_is_unpacked_with_its_classes(name: str) -> None:
    """By way of a file of tensors, with the classes of another batch of the same making."""
    tree = TREES[name]
    like = mapped(lambda tensor: tensor, tree)
    stored = load(save({name: t.contiguous().clone() for name, t in pack(tree).items()}))
    assert told(unpack(stored, like)) == told(tree)


@pytest.mark.parametrize("name", [name for name in TREES if name != "packed"])
def test_every_tensor_is_mapped_and_the_old_tree_stays(name: str) -> None:
    tree = TREES[name]
    before = told(tree)
    tensors = [tensor for key, tensor in pack(tree).items() if key != "layout"]
    seen: list[Tensor] = []
    more = mapped(lambda tensor: seen.append(tensor) or tensor + 1, tree)
    assert len(seen) == len(tensors)
    assert all(one is other for one, other in zip(seen, tensors, strict=True))
    assert type(more) is type(tree)
    assert told(mapped(lambda tensor: tensor.to(torch.float64), more)) != before
    assert told(tree) == before


def test_lengths_may_differ_from_those_of_the_batch_that_lends_its_classes() -> None:
    stored = pack({"rows": [numbers(1), numbers(2)], "what": UserDict(x=numbers(3))})
    found = unpack(stored, {"rows": [numbers(0)], "what": UserDict(y=numbers(0))})
    assert told(found) == told({"rows": [numbers(1), numbers(2)], "what": UserDict(x=numbers(3))})


def test_a_class_that_the_run_does_not_have_is_named_and_never_imported() -> None:
    stored = pack(TREES["frozen"])
    with pytest.raises(CheckpointError, match=r"a .*Inner.* hold no class of their own; resume"):
        unpack(stored, {"x": numbers(1)})


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": [object()]}, r"batch holds a object at batch/a/0, and MELTR keeps.*into a tensor"),
        ({(1, 2): numbers(1)}, r"batch has the key a tuple at batch"),
    ],
)
def test_what_cannot_be_kept_is_named_with_its_place(tree: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        pack(tree)


def test_a_tree_on_its_device_is_itself_and_on_another_one_whole() -> None:
    tree = TREES["batch"]
    assert on_device(tree, device_in(tree)) is tree
    assert on_device(tree, None) is tree
    assert device_in({"only": "texts"}) is None
    moved = on_device(tree, torch.device("meta"))
    assert moved.targets["extra"].is_meta
    assert moved.tokens.mask.is_meta
    assert not tree.tokens.mask.is_meta
