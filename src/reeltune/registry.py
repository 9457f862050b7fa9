"""The folder is the registry: `find("models", "clip")` imports `reeltune/models/clip.py`."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from reeltune.errors import ConfigError

CALLED = {  # in messages
    "data": "dataset",
    "models": "model",
    "objectives": "loss",
    "objectives.contrastive": "loss",
    "meltr.schemes": "scheme",
    "tasks": "task",
    "papers": "table",
    "cli.commands": "group of commands",
}


def names(kind: str) -> list[str]:
    """Component names in `reeltune/<kind>/`, sorted; a folder or `_name.py` is none itself."""
    folder = import_module(f"reeltune.{kind}").__path__
    modules = (module.name for module in iter_modules(folder) if not module.ispkg)
    return sorted(name.replace("_", "-") for name in modules if not name.startswith("_"))


def find(kind: str, name: str) -> ModuleType:
    """Import one component; a dotted name is an outside plugin and is imported as it stands.

    Errors: `ConfigError` for a name that there is not.
    """
    if "." in name:
        return _outside(kind, name)
    if name not in names(kind):
        raise ConfigError(f"no {CALLED[kind]} named {name!r}; there are: {', '.join(names(kind))}")
    return import_module(f"reeltune.{kind}.{name.replace('-', '_')}")


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
