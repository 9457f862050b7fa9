"""Bounds the memory that settings of a stranger ask for, by the size of the weights beside them.

Settings that name a width of a billion would take all memory before it shows that no weights of
that width are there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from reeltune.errors import CheckpointError

TIMES = 64  # a packed weight has at least a bit in the file, and 32 bits in memory
BESIDE = 1 << 28  # bytes, for what is no weight, such as the positions of patches
LEAST = 1 << 16  # bytes that a tensor counts, since many small ones take memory too
MAKERS = ("empty", "zeros", "ones", "full", "rand", "randn", "randint", "arange", "eye", "linspace")
_OPEN: "ContextVar[_Allowance | None]" = ContextVar("allowance", default=None)


@contextmanager
def allowance(folder: Path) -> Iterator[None]:
    """Let the block make as many tensors as the files of a model in `folder` can be behind.

    Where blocks lie within each other, as for a model on another one, allowances add up.
    Errors: `CheckpointError` for a block that wants more; it is raised before memory is taken.
    """
    stored = sum(path.stat().st_size for path in folder.glob("*.safetensors") if path.is_file())
    given, outer = TIMES * stored + BESIDE, _OPEN.get()
    if outer is not None:
        outer.left += given
        yield
        return
    mode = _Allowance(folder, given)
    token = _OPEN.set(mode)
    try:
        with mode:
            yield
    finally:
        _OPEN.reset(token)


class _Allowance(TorchDispatchMode):
    """Counts tensors that are made from nothing, and refuses the one that is too much."""

    def __init__(self, folder: Path, given: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.folder, self.left = folder, given

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__.removeprefix("new_").removesuffix("_like")
        if name.split("_")[0] in MAKERS and "out" not in kwargs:
            made = func(*args, **{**kwargs, "device": "meta", "pin_memory": None})
            self.left -= max(made.numel() * made.element_size(), LEAST)
            if self.left < 0:
                raise CheckpointError(
                    f"{self.folder}: its settings ask for a model many times larger than the "
                    "weights that are there; take both from the same place"
                )
        return func(*args, **kwargs)
