"""A recipe: what to run, as one checked object."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError, field_validator

from reeltune.errors import ConfigError
from reeltune.evaluation.protocols import V2tRule
from reeltune.meltr import transformer
from reeltune.meltr.melting import Melting
from reeltune.models.opening.material import ReadsWords, Words
from reeltune.models.opening.open import placed_name
from reeltune.recipes.inputs import FromFeatures
from reeltune.registry import find
from reeltune.settings.faults import lacking, refusal, settings_of
from reeltune.settings.unread import unread_in
from reeltune.tasks.finding.judge import has_scores
from reeltune.training.settings import Settings

MODELS_BESIDE = ("base", "encoder", "sentence_encoder")  # settings that name another model


class Recipe(BaseModel):
    """A recipe: data, model, training, and what the paper found."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    dataset: str  # a component of data/
    options: dict[str, Any] = {}  # of the dataset
    differs: tuple[str, ...] = ()  # what of the data is not as the benchmark has it; a run says it
    frames: PositiveInt = 12  # per clip
    features: FromFeatures | None = None  # read in place of frames
    words: Words = Words()
    init: Path | None = None  # a run whose weights training starts from
    init_pin: str | None = None  # what its file of weights holds; a stored recipe says it
    component: str  # of models/
    config: dict[str, Any] = {}  # of the component
    meltr: Melting | None = None  # None: losses are summed
    tunes: bool = True  # false: the model is evaluated as it is
    training: Settings = Settings()
    expected: dict[str, float] = {}  # figures of the paper: t2v, or of captions
    expected_v2t: dict[str, float] = {}
    source: str = ""  # of the expected figures
    test_hash: str = ""  # of the published test split (evaluation/protocols); "": not known
    v2t: V2tRule = "grouped"  # how a video with several captions is ranked (evaluation/protocols)

    @property
    def data_name(self) -> str:
        """The dataset, and the collection where it holds several."""
        return "/".join([self.dataset, *([c] if (c := self.options.get("collection")) else [])])

    @field_validator("config")
    @classmethod
    def _placed(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Folders of models by their absolute paths, so that they are found from anywhere."""
        named = {name: config[name] for name in MODELS_BESIDE if config.get(name)}
        return config | {name: placed_name(str(model)) for name, model in named.items()}

    def model_config_of(self) -> Any:
        """The checked settings of the model."""
        try:
            return self._module("component", "models").Config(**self.config)
        except ValidationError as error:
            fault = refusal(error, "config", known_settings(dict(self)))
            raise ConfigError(f"recipe {self.name}: {fault}") from error

    def _module(self, setting: Literal["component", "dataset"], kind: str) -> ModuleType:
        try:
            return find(kind, getattr(self, setting))
        except ConfigError as error:
            raise ConfigError(f"recipe {self.name}, {setting}: {error}") from error

    def dataset_config(self, **given: object) -> Any:
        """The checked settings of the dataset; `given`, such as its folder, go first."""
        wanted = {**self.options, **{name: value for name, value in given.items() if value}}
        try:
            return self._module("dataset", "data").Config(**wanted)
        except ValidationError as error:
            if "folder" in lacking(error):
                raise ConfigError(
                    f"recipe {self.name} reads {self.dataset}, and its folder is not given; give "
                    f"--data FOLDER (`reeltune datasets {self.dataset}` says how it must look)"
                ) from error
            fault = refusal(error, "options", known_settings(dict(self)))
            raise ConfigError(
                f"recipe {self.name}, dataset {self.dataset}: {fault}; "
                f"`reeltune datasets {self.dataset}` says what it needs"
            ) from error

    def sections(self) -> dict[str, object]:
        """The checked settings of every section, the dataset's folder taken as given."""
        return {
            "config": self.model_config_of(),
            "options": self.dataset_config(folder=self.options.get("folder", ".")),
            "features": self.features,
            "words": self.words,
            "meltr": self.meltr,
            "training": self.training,
        }

    def unread(self) -> dict[str, str]:
        """Settings and sections that nothing reads as the others are, by path, and why."""
        sections = self.sections()
        model, data = sections["config"], sections["options"]
        fields, found = type(model).model_fields, unread_in(sections)  # type: ignore[attr-defined]
        if "features" in fields:
            found["frames"] = f"by {self.component}, for it reads stored features"
        else:
            found["features"] = f"by {self.component}, for it reads frames"
        if getattr(data, "keeps_features", False):
            found["features.every"] = f"on {self.dataset}, which has features of its own"
        if isinstance(model, ReadsWords):
            found |= model.unread_beside(self.words, self.init)
        else:
            found["words"] = f"by {self.component}, for it learns no words of the captions"
        if self.meltr is not None:
            found["training.combine"] = "where MELTR melts the losses"
        else:
            self.training.weighting(("one", "another"))
        if not self.tunes:
            why = "by a recipe that trains nothing"
            found |= {"training": why, "meltr": why}
        if not has_scores(model):
            found["v2t"] = "by a model that is judged without scores, but where videos are found"
        return found


def known_settings(recipe: Mapping[str, Any]) -> list[str]:
    """Every setting of a recipe with these components, such as `training.lr`."""
    scheme = _setting(recipe.get("meltr"), "scheme")
    classes = {
        "options": find("data", recipe["dataset"]).Config,
        "config": find("models", recipe["component"]).Config,
        "meltr.options": find("meltr.schemes", scheme or Melting().scheme).Config,
        "meltr.sizes": transformer.Config,
    }
    if (combine := _setting(recipe.get("training"), "combine")) is not None:
        classes["training.combine_options"] = find("training.weightings", combine).Config
    own = [path for path in settings_of(Recipe) if path not in classes]
    return own + [path for section, kind in classes.items() for path in settings_of(kind, section)]


def _setting(section: object, name: str) -> Any:
    """A setting of a section, whether it was read or is as given; None where there is none."""
    return section.get(name) if isinstance(section, dict) else getattr(section, name, None)
