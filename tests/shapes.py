"""Shapes that annotations state are checked while tests run.

Functions that state none are left as they are: their types are plain, and mypy reads those.
A call whose shapes, dtypes and types are all those of one that passed is not checked again.
"""

import __future__

import inspect
import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache, partial, wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, Literal, get_args, get_origin

import jaxtyping
import numpy as np
import torch
from beartype import beartype
from jaxtyping import AbstractArray, jaxtyped

PACKAGE = "reeltune"
ARRAYS = {torch.Tensor, torch.nn.Parameter, np.ndarray, np.memmap}  # not what a tracer has instead
WHOLE = {str, bytes, range}  # which have parts that no check looks at, as has what Arrow defines
ARROW = "pyarrow.lib"
MOST = 64  # parts of a container that are looked at in each call
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
    if getattr(inner, "__globals__", {}).get("annotations") is __future__.annotations:
        # Written for a process that starts often, and so imports no jaxtyping.
        inner.__annotations__ = inspect.get_annotations(
            inner, locals=vars(jaxtyping), eval_str=True
        )
    if not inspect.isfunction(function) or (
        inner is not function and inspect.isgeneratorfunction(inner)
    ):
        return False
    return any(map(states_shape, inspect.get_annotations(inner).values()))


class Unlike(Exception):
    """Another value of this type may be one that a check refuses."""


def kind_of(value: Any) -> Hashable:
    """What a check sees of a value: its type, and shape and dtype of each array in it.

    `Unlike` is raised for values of which it may see more."""
    kind = type(value)
    if kind in ARRAYS:
        return kind, value.dtype, tuple(value.shape)
    if kind in (tuple, list, dict) and len(value) <= MOST:
        parts = (*value, *value.values()) if kind is dict else value
        return kind, *map(kind_of, parts)
    if isinstance(value, Iterable) and kind not in WHOLE and kind.__module__ != ARROW:
        raise Unlike
    return kind


def takes_some(annotation: Any) -> bool:
    """Whether an annotation takes some values of a type and not others."""
    return get_origin(annotation) is Literal or any(map(takes_some, get_args(annotation)))


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, each call of which is checked unless one that was alike has passed."""
    full = cache(partial(jaxtyped, function, typechecker=beartype))
    passed: dict[Hashable, set[Hashable]] = {}  # kinds of answers, by those of arguments

    @wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        __tracebackhide__ = True
        try:
            asked = kind_of(args), *named, kind_of(named)
        except Unlike:
            return full()(*args, **named)
        is_new = asked not in passed
        answer = (full() if is_new else function)(*args, **named)
        try:
            kind = kind_of(answer)
        except Unlike:
            kind = None
        if not is_new and (kind is None or kind not in passed[asked]):
            # An axis of arguments and answer has one size, so that they are checked together.
            jaxtyped(wraps(function)(lambda *_, **__: answer), typechecker=beartype)(*args, **named)
        if kind is None:
            passed.pop(asked, None)
        else:
            passed.setdefault(asked, set()).add(kind)
        return answer

    return call


def with_checks(member: Any) -> Any:
    """A function, method or property that checks its calls."""
    if isinstance(member, property):
        return property(with_checks(member.fget), member.fset, member.fdel)
    if isinstance(member, (classmethod, staticmethod)):
        return type(member)(with_checks(member.__func__))
    if any(map(takes_some, inspect.get_annotations(inspect.unwrap(member)).values())):
        return jaxtyped(member, typechecker=beartype)
    return checked(member)


def check(owner: ModuleType | type, within: str) -> None:
    """Check the calls of what a module, or a class, defines; `within` is its full name."""
    for name, member in list(vars(owner).items()):
        if is_checked(member):
            setattr(owner, name, with_checks(member))
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
