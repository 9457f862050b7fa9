"""Recipes: a benchmark and a method, each a YAML file, read into one checked object.

`msrvtt-9k/vop` is `recipes/benchmarks/msrvtt-9k.yaml` with `recipes/methods/vop.yaml`: the first
says data, base model and training, the second what is tuned and how fast it learns. What the
papers report stands beside, under `expected`.
"""

from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from reeltune.errors import ConfigError
from reeltune.registry import find
from reeltune.training.settings import Settings

ROOT = files("reeltune").joinpath("recipes")


class Recipe(BaseModel):
    """What to run: data, model, training, and what the paper found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    dataset: str  # a component of data/
    options: dict[str, Any] = {}  # of the dataset
    frames: int = 12  # per clip
    component: str  # of models/
    config: dict[str, Any] = {}  # of the component
    tunes: bool = True  # false: the model is evaluated as it is
    training: Settings = Settings()
    expected: dict[str, float] = {}  # t2v figures that the paper reports on this benchmark
    expected_v2t: dict[str, float] = {}
    source: str = ""  # of the expected figures

    def model_config_of(self) -> Any:
        """The checked settings of the model."""
        try:
            return find("models", self.component).Config(**self.config)
        except ValidationError as error:
            raise ConfigError(f"recipe {self.name}: {_first(error)}") from error

    def dataset_config(self, **given: object) -> Any:
        """The checked settings of the dataset; `given`, such as its folder, go first."""
        wanted = {**self.options, **{name: value for name, value in given.items() if value}}
        try:
            return find("data", self.dataset).Config(**wanted)
        except ValidationError as error:
            raise ConfigError(
                f"recipe {self.name}, dataset {self.dataset}: {_first(error)}; "
                f"`reeltune datasets {self.dataset}` says what it needs"
            ) from error


def recipe_names() -> list[str]:
    """Every benchmark with every method."""
    return [f"{place}/{method}" for place in _names("benchmarks") for method in _names("methods")]


def read_recipe(name: str, changes: dict[str, Any] | None = None) -> Recipe:
    """The recipe called `name`, with `changes` such as `{"training.lr": 1e-4}`.

    Errors: `ConfigError` names what is unknown, and what there is.
    """
    place, _, method = name.partition("/")
    benchmark = _read("benchmarks", place, name)
    how = _read("methods", method, name)
    expected = benchmark.pop("expected", {}).get(method, {})
    tied = {"base": benchmark.pop("base"), "frames": benchmark["frames"]}
    adapted = benchmark.pop("methods", {}).get(method, {})
    fields: dict[str, Any] = {
        "name": name,
        **benchmark,
        "component": how["component"],
        "tunes": how.get("tunes", True),
        "config": {**_config(how, tied), **adapted.pop("config", {})},
        "training": {**benchmark.get("training", {}), **how.get("training", {}), **adapted},
        "expected": dict(zip(FIGURES, expected.get("t2v", ()), strict=False)),
        "expected_v2t": dict(zip(FIGURES, expected.get("v2t", ()), strict=False)),
    }
    for path, value in (changes or {}).items():
        _change(fields, path, value)
    try:
        return Recipe(**fields)
    except ValidationError as error:
        raise ConfigError(f"recipe {name}: {_first(error)}") from error


FIGURES = ("R@1", "R@5", "R@10", "MnR", "MdR")


def _config(how: dict[str, Any], tied: dict[str, Any]) -> dict[str, Any]:
    """A method's settings; those named under `from_benchmark` come from there."""
    wanted: list[Literal["base", "frames"]] = how.get("from_benchmark", [])
    return {**{name: tied[name] for name in wanted}, **how.get("config", {})}


def _change(fields: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        fields = fields.setdefault(parent, {})
        if not isinstance(fields, dict):
            raise ConfigError(f"{path} leads into {parent}, which holds no settings")
    fields[last] = value


def _names(kind: str) -> list[str]:
    found = (file.name for file in ROOT.joinpath(kind).iterdir())
    return sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml"))


def _read(kind: str, name: str, whole: str) -> dict[str, Any]:
    if name not in _names(kind):
        raise ConfigError(
            f"no recipe {whole!r}; a recipe is one of {', '.join(_names('benchmarks'))}, a slash, "
            f"and one of {', '.join(_names('methods'))}"
        )
    found = yaml.safe_load(ROOT.joinpath(kind, f"{name}.yaml").read_text(encoding="utf-8"))
    return dict(found)


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'settings'}: {first['msg']}"
