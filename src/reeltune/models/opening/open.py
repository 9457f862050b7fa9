"""Any model by its name: a component, a local folder or a hub id."""

import os
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import AfterValidator
from torch import nn

from reeltune.errors import CheckpointError, ConfigError, in_shell
from reeltune.models.exported.card import exported_folder
from reeltune.models.exported.towers import open_exported
from reeltune.models.opening.allowance import allowance
from reeltune.models.opening.hub import HUB_ID, fetch
from reeltune.models.opening.presets import AUTO, chosen, presets
from reeltune.models.opening.trial import require_works
from reeltune.models.opening.weights import CARD, read_card
from reeltune.nn.quantize import fits_int8, quantize
from reeltune.registry import find, given, is_dotted, is_given, names, not_given, packaged
from reeltune.settings.existing import Named
from reeltune.storage.home import from_home
from reeltune.types import DualEncoder

OPEN_CLIP = "open_clip_config.json"
# Components of the types of models in config.json that are not of two towers.
COMPONENTS = {"embedding_gemma2": "embedding-gemma2", "qwen3_vl": "qwen3-vl-embedding"}


def load(name: str, device: str | None = None, dtype: str | None = None) -> Any:
    """The model called `name`, as by `open_model`, for a name that a person or a program gives.

    It may also be the dotted path of a module outside Reeltune, whose code is run.
    """
    return open_model(given(name), device, dtype)


def open_encoder(name: str, device: str | None = None, dtype: str | None = None) -> DualEncoder:
    """The model called `name`, as by `open_model`, for those who want vectors.

    Errors: `ConfigError` for a model that scores pairs and makes none.
    """
    model = open_model(name, device, dtype)
    if not isinstance(model, DualEncoder):
        raise ConfigError(
            f"{name} scores pairs of a text and a clip, and makes no vectors, which are wanted "
            "here; give a model such as lite, a CLIP folder or a run of vop"
        )
    return model


def open_model(name: str, device: str | None = None, dtype: str | None = None) -> Any:
    """The model called `name`, a `DualEncoder` or a scorer of pairs, ready to be asked: in eval
    mode, and no weight asks for a gradient.

    `name` is a component that brings its weights (`lite`), a preset (`siglip2`) or `auto`, a
    folder that `save_pretrained` or transformers wrote, a hub id (`openai/clip-vit-base-patch32`,
    or with `@revision`), or the dotted path of a module outside Reeltune that was
    `registry.given`. So the name may come from a file of a stranger: it runs no code that is not
    installed here to be run.
    Errors: `CheckpointError` if it cannot be found or loaded whole, or makes nothing of a frame
    and a word, `ConfigError` for a device or precision that is not there.
    """
    name = chosen(name)
    require_named(name)
    folder = from_home(name)
    if (component := component_named(name)) is not None:
        model = component.load(None, device, dtype)
    else:
        fetched = None if folder.is_dir() else fetch(name)
        with allowance(fetched or folder):
            model = _open_folder(fetched or folder, device, dtype)
    if isinstance(model, nn.Module):
        model.eval().requires_grad_(False)
    model.name = name
    if name not in packaged("models"):  # which is tested with the package
        require_works(model)
    return model


def require_named(name: str) -> None:
    """Raise CheckpointError unless `name` is a component, a preset or a folder, or looks like a hub
    id."""
    name = chosen(name)
    folder = from_home(name)
    if component_named(name) is not None or folder.is_dir():
        return
    if folder.is_file():
        raise CheckpointError(
            f"{name} is a file, and a model is a folder; give the folder that holds it, or turn "
            "released weights into one by reeltune convert"
        )
    if HUB_ID.fullmatch(name):
        return
    if folder.is_absolute():
        raise CheckpointError(
            f"no model {name!r}: there is no such folder; if it was moved, say where it is now"
        )
    if is_dotted(name) and not is_given(name):
        raise CheckpointError(not_given("models", name))
    raise CheckpointError(
        f"no model {name!r}: it is neither a folder nor one of "
        f"{', '.join([*names('models'), *_short_names()])}, nor a hub id such as "
        "openai/clip-vit-base-patch32"
    )


def _short_names() -> list[str]:
    return [name for name in (*presets(), AUTO) if name not in names("models")]


def placed_name(name: str) -> str:
    """The name of a model as it is stored: a folder by its absolute path, whatever was given, and a
    preset by its pinned model, since another version of Reeltune may pin another.

    So what is stored is an absolute path for a folder, the name of a component for what is
    packaged, and else a hub id, wherever it is read again.
    """
    name = chosen(name)
    folder = from_home(name)
    is_folder = folder.is_dir() and component_named(name) is None
    return os.path.abspath(folder) if is_folder else name


def _fault(name: str) -> str:
    """The message of `require_named` about a name."""
    try:
        require_named(name)
    except CheckpointError as error:
        return str(error)
    return ""


ModelName = Annotated[str, AfterValidator(placed_name), Named(_fault)]


def component_named(name: str) -> ModuleType | None:
    """The module of a component, or of a dotted path that was given; none if there is none, or if
    the name is that of a folder and the component has no weights of its own to be opened by."""
    is_folder = Path(name).is_dir()
    if name in names("models"):
        component = find("models", name)
        has_weights = hasattr(component, "FOLDER") or not hasattr(component, "WEIGHTS_FROM")
        return None if is_folder and not has_weights else component
    is_module = is_given(name) and not is_folder
    return find("models", name) if is_module and find_spec(name.split(".")[0]) else None


def _open_folder(folder: Path, device: str | None, dtype: str | None) -> Any:
    """A checkpoint of our own says its component in `config.yaml`; others are Hugging Face's."""
    if exported_folder(str(folder)) is not None:
        return open_exported(folder, str(folder), device, dtype).model
    if (folder / CARD).is_file():
        card = read_card(folder)
        model: Any = card.module().load(folder, device, dtype)
        if card.is_int8 and fits_int8(model):
            model = quantize(model)
        return model
    if (folder / "config.json").is_file():
        from reeltune.models.opening.towers import read_settings  # and all of transformers

        component = COMPONENTS.get(read_settings(folder).model_type, "clip")
        return find("models", component).load(folder, device, dtype)
    if (folder / OPEN_CLIP).is_file():
        raise CheckpointError(
            f"{folder} is a model in the form of open_clip ({OPEN_CLIP}), and Reeltune reads that "
            f"of transformers; turn it by reeltune convert open-clip {in_shell(folder)} NEW, or "
            "take config.json, preprocessor_config.json and model.safetensors from the same "
            "repository, as many hold both forms"
        )
    raise CheckpointError(
        f"{folder} holds neither {CARD} nor config.json, so it is no model; "
        "give the folder that holds model.safetensors"
    )
