"""The folder is the registry: `find("models", "clip")` imports `reeltune/models/clip.py`.

A package that is installed adds to a folder by an entry point, such as `guesser` of the group
`reeltune.models`. Any other module is imported by its dotted name, once it was `given`. So no file
that was read can say which code runs (SECURITY.md).
"""

import sys
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from pkgutil import iter_modules
from types import ModuleType

from reeltune.errors import ConfigError

CALLED = {  # in messages
    "data": "dataset",
    "models": "model",
    "objectives": "loss",
    "objectives.contrastive": "loss",
    "meltr.schemes": "scheme",
    "training.weightings": "weighting",
    "tasks": "task",
    "papers": "table",
    "cli.commands": "group of commands",
}
_GIVEN: set[str] = set()  # dotted names whose modules may be imported in this process


def names(kind: str) -> list[str]:
    """Names of the components in `reeltune/<kind>/` and of those that are installed, sorted."""
    return sorted({*packaged(kind), *_installed(kind).names})


def packaged(kind: str) -> list[str]:
    """Component names in `reeltune/<kind>/`, sorted; a folder or `_name.py` is none itself."""
    return list(_listed(tuple(import_module(f"reeltune.{kind}").__path__)))


@cache
def _listed(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Each folder is read once, since nobody adds to a package that runs."""
    modules = (module.name for module in iter_modules(folders) if not module.ispkg)
    return tuple(sorted(name.replace("_", "-") for name in modules if not name.startswith("_")))


def given(name: str) -> str:
    """The name as it is; where it is a dotted one, `find` imports its module from now on.

    It is for names that a person typed or that stand in a program, and never for what was read
    from a file, since whoever wrote that would choose which code runs.
    """
    if is_dotted(name):
        _GIVEN.add(name)
    return name


def is_dotted(name: str) -> bool:
    """Whether a name may be that of a module within a package."""
    return "." in name and all(part.isidentifier() for part in name.split("."))


def is_given(name: str) -> bool:
    """Whether `find` may import the module of a dotted name."""
    return name in _GIVEN


def not_given(kind: str, name: str) -> str:
    """What is said of a dotted name that `find` does not import."""
    return (
        f"no {CALLED[kind]} named {name!r} is installed, and no file may say which module is "
        "imported; name it yourself, on the command line, or in a program by "
        f"reeltune.registry.given, or install it with an entry point of reeltune.{kind}"
    )


def find(kind: str, name: str) -> ModuleType:
    """Import one component: of the folder, of an installed package, or a module that was `given`.

    Errors: `ConfigError` for a name that there is not, and for a dotted one that was not given.
    """
    if name in packaged(kind):
        return import_module(f"reeltune.{kind}.{name.replace('-', '_')}")
    if name in _installed(kind).names:
        module: ModuleType = _installed(kind)[name].load()
        return module
    if is_given(name):
        return _outside(kind, name)
    if is_dotted(name):
        raise ConfigError(not_given(kind, name))
    raise ConfigError(f"no {CALLED[kind]} named {name!r}; there are: {', '.join(names(kind))}")


def _installed(kind: str) -> EntryPoints:
    return _entry_points(f"reeltune.{kind}", tuple(sys.path))


@cache
def _entry_points(group: str, path: tuple[str, ...]) -> EntryPoints:
    """Those of the packages that Python finds on `path`, which is `sys.path`."""
    return entry_points(group=group)


def _outside(kind: str, name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # it is there, and lacks something else
        raise ConfigError(
            f"no {CALLED[kind]} named {name!r}: Python finds no module {error.name}; install the "
            f"package that has it, or give one of {', '.join(names(kind))}"
        ) from error
