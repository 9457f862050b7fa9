"""Trees of tensors: mappings, tuples, lists and dataclasses that hold tensors at any depth.

A batch of anybody's loader is one. `pack` makes flat tensors of it, which any file of tensors
holds, and `unpack` the tree again. No class is ever looked up by a name that was read: `unpack`
knows the classes of another tree of the same making, and no others.
"""

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from reeltune.errors import CheckpointError, DataError

Part = tuple[Any, Any]  # a key, a field or a place, and what is there
PLAIN = (str, bool, int, float, type(None))
LAYOUT = "layout"  # the name under which `pack` puts how the tensors hang together
EMPTY: dict[str, Any] = {"dict": {}, "list": [], "tuple": ()}


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """A tree of the same kinds, with `function` of each tensor in its place."""
    if isinstance(tree, Tensor | PackedSequence):
        return function(tree)
    parts = _parts(tree)
    if parts is None:
        return tree
    return _made(tree, [(key, mapped(function, part)) for key, part in parts])


def device_in(tree: Any) -> torch.device | None:
    """The device of the first tensor of a tree; None where it has none."""
    return next((node.device for node in _nodes(tree) if isinstance(node, Tensor)), None)


def on_device(tree: Any, device: torch.device | None) -> Any:
    """A tree on a device, itself where its first tensor is there already; None: where it is."""
    if device in (None, device_in(tree)):
        return tree
    return mapped(lambda tensor: tensor.to(device), tree)


def pack(tree: Any) -> dict[str, Tensor]:
    """The tensors of a tree by number, and `layout`, a tensor of the bytes of a text.

    Errors: `DataError` names what is neither a tensor, nor holds any, nor is a text, a number,
    true, false or None.
    """
    tensors: list[Tensor] = []

    def layout(node: Any, place: str) -> Any:
        if isinstance(node, Tensor):
            tensors.append(node)
            return len(tensors) - 1
        if type(node) in PLAIN:
            return {"is": node}
        parts = _parts(node)
        strange = next((key for key, _ in parts or [] if type(key) not in PLAIN), None)
        if parts is None or strange is not None:
            what = "holds" if parts is None else "has the key"
            raise DataError(
                f"the batch {what} a {type(strange if parts else node).__name__} at {place}, and "
                "MELTR keeps batches of tensors, texts and numbers; put these into dicts, tuples, "
                "lists or dataclasses, or turn it into a tensor"
            )
        return [_kind(node), [[key, layout(part, f"{place}/{key}")] for key, part in parts]]

    found = text_tensor(json.dumps(layout(tree, "batch")))
    return {LAYOUT: found, **{str(number): tensor for number, tensor in enumerate(tensors)}}


def unpack(packed: Mapping[str, Tensor], like: Any) -> Any:
    """The tree that `pack` made flat; `like` is another tree, which lends its classes.

    Errors: `CheckpointError` for a class that it lacks.
    """
    known = EMPTY | {_kind(node): node for node in _nodes(like) if _parts(node) is not None}

    def node(layout: Any) -> Any:
        if isinstance(layout, int):
            return packed[str(layout)]
        if isinstance(layout, dict):
            return layout["is"]
        kind, parts = layout
        if kind not in known:
            raise CheckpointError(
                f"the stored batches hold a {kind}, and the batches of this run hold "
                f"{', '.join(sorted(known.keys() - EMPTY.keys())) or 'no class of their own'}; "
                "resume with the same data, or start anew"
            )
        return _made(known[kind], [(key, node(part)) for key, part in parts])

    return node(json.loads(tensor_text(packed[LAYOUT])))


def text_tensor(text: str) -> Tensor:
    """A text as a tensor of bytes, which stands in files of tensors alone."""
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def tensor_text(tensor: Tensor) -> str:
    """The text of `text_tensor`."""
    return bytes(tensor.tolist()).decode()


def _parts(node: Any) -> list[Part] | None:
    """What a node holds; None where it is none that could hold tensors."""
    if isinstance(node, Mapping):
        return list(node.items())
    if is_dataclass(node) and not isinstance(node, type):
        return [(field.name, getattr(node, field.name)) for field in fields(node)]
    if isinstance(node, list | tuple):
        return list(enumerate(node))
    return None


def _made(node: Any, parts: Sequence[Part]) -> Any:
    """Another node of the kind of `node`, which holds these parts and what else `node` knows."""
    values = [part for _, part in parts]
    if isinstance(node, tuple):
        return type(node)(*values) if hasattr(node, "_fields") else type(node)(values)
    if isinstance(node, list):
        return type(node)(values)
    if isinstance(node, Mapping) and not isinstance(node, MutableMapping):
        return type(node)(dict(parts))  # type: ignore[call-arg]
    made = copy(node)
    if isinstance(made, MutableMapping):
        for key in made.keys() - dict(parts).keys():
            del made[key]
        for key, part in parts:
            made[key] = part
        return made
    for name, part in parts:
        object.__setattr__(made, name, part)  # frozen ones too
    return made


def _nodes(tree: Any) -> Iterator[Any]:
    yield tree
    for _, part in _parts(tree) or []:
        yield from _nodes(part)


def _kind(node: Any) -> str:
    kind = type(node)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
