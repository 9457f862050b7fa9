"""Shapes that annotations state are checked while tests run.

Functions that state none are left as they are: their types are plain, and mypy reads those.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray, jaxtyped

PACKAGE = "reeltune"
Compile = Callable[[bytes, str], CodeType]


def states_shape(annotation: Any) -> bool:
    """Whether an annotation is an array of some shape, or has one among its parts."""
    if isinstance(annotation, type) and issubclass(annotation, AbstractArray):
        return True
    return any(states_shape(part) for part in get_args(annotation))


def is_checked(member: Any) -> bool:
    """Whether it is a function, a method or a property that states a shape.

    A generator that a decorator made a context of does not return what it states.
    """
    if isinstance(member, property):
        return is_checked(member.fget)
    function = getattr(member, "__func__", member)
    inner = inspect.unwrap(function)
    if not inspect.isfunction(function) or (
        inner is not function and inspect.isgeneratorfunction(inner)
    ):
        return False
    return any(map(states_shape, inspect.get_annotations(inner).values()))


def check(owner: ModuleType | type, within: str) -> None:
    """Check the calls of what a module, or a class, defines; `within` is its full name."""
    for name, member in list(vars(owner).items()):
        if is_checked(member):
            setattr(owner, name, jaxtyped(member, typechecker=beartype))
        elif isinstance(member, type) and full_name(member) == f"{within}.{name}":
            check(member, f"{within}.{name}")


def full_name(kind: type) -> str:
    """The name of a class behind that of its module."""
    return f"{kind.__module__}.{kind.__qualname__}"


class Checking(SourceFileLoader):
    """Loads a module whose functions then check the shapes that they state."""

    def __init__(self, name: str, path: str, compiled: Compile | None) -> None:
        super().__init__(name, path)
        self.compiled = compiled

    def get_code(self, fullname: str) -> CodeType | None:
        if self.compiled is None:
            return super().get_code(fullname)
        return self.compiled(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        check(module, module.__name__)


class Finder(MetaPathFinder):
    """Finds the package's modules as Python does, and has them checked."""

    def __init__(self, compiled: Compile | None) -> None:
        self.compiled = compiled

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Checking(spec.loader.name, spec.loader.path, self.compiled)
        return spec


def check_shapes(compiled: Compile | None) -> None:
    """Check the modules of the package that are imported from here on.

    Their source is compiled by `compiled` where it is given, and otherwise as Python does."""
    sys.meta_path.insert(0, Finder(compiled))
