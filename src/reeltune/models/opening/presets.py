"""Models that are known by a short name, each pinned to one commit of the hub.

A preset is a file in `models/presets`, and its name is that of the file. A revision is the commit
by which others have pinned the same model; no file here names a branch, which may change.
"""

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from reeltune.storage.settings_file import read_yaml

FOLDER = Path(__file__).parents[1] / "presets"
AUTO = "auto"  # the best model that needs no download
DEFAULT = "lite"


class Figure(BaseModel):
    """What was measured of a model, and where that is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    value: float
    source: str


class Preset(BaseModel):
    """A model, and what is known of it; what is not known is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str  # a component that brings its weights, or `owner/model@commit`
    says: str  # in half a sentence
    licence: str
    languages: str
    rank: int | None = None  # 1 is taken first by `auto`; None: of those that are always there
    gpu: bool = False  # whether it is too slow for a processor
    download_mb: int | None = None  # None: not known
    figures: tuple[Figure, ...] = ()

    @property
    def is_here(self) -> bool:
        """Whether it needs no download."""
        from reeltune.models.opening.hub import HUB_ID, find_cached  # late, as it takes 0.3 s

        return HUB_ID.fullmatch(self.model) is None or find_cached(self.model) is not None


@cache
def presets() -> dict[str, Preset]:
    """Every preset by its name: what needs no download first, then as `auto` would take them."""
    found = {
        file.stem: Preset.model_validate(read_yaml(file)) for file in sorted(FOLDER.glob("*.yaml"))
    }
    return dict(sorted(found.items(), key=lambda item: item[1].rank or 0))


def chosen(name: str) -> str:
    """The model that a name stands for: that of a preset, of `auto`, and else the name itself."""
    name = best_here() if name == AUTO else name
    return presets()[name].model if name in presets() else name


def best_here() -> str:
    """The preset of the lowest rank that is in the local cache and runs well here, or `lite`."""
    return next((name for name in candidates() if presets()[name].is_here), DEFAULT)


def candidates() -> list[str]:
    """Presets that are better than `lite` and run well on this machine, the best first."""
    import torch  # late, as a question is asked before a model is opened

    has_gpu = torch.cuda.is_available()
    return [name for name, one in presets().items() if one.rank and (has_gpu or not one.gpu)]


def is_offered(name: str, reach: float, endpoint: str | None = None) -> bool:
    """Whether the hub answers within `reach` seconds that it has a preset's model."""
    from huggingface_hub import HfApi, constants

    repo, _, revision = presets()[name].model.partition("@")
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        HfApi(endpoint=endpoint).model_info(repo, revision=revision, timeout=reach)
    except Exception:  # hub 1 and 2 use different HTTP libraries, with their own errors
        return False
    return True
