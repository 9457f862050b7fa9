"""A CLIP in the form of open_clip, as a folder that both Reeltune and transformers open.

Only those built as OpenAI's are turned: two plain transformers, whose weights have the same names.
open_clip also holds towers of timm and of Hugging Face, which it builds by settings of theirs.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError
from torch import Tensor

from reeltune.errors import CheckpointError, first_fault, in_short
from reeltune.models import clip
from reeltune.models._openai_clip import as_transformers
from reeltune.models._preprocessor import Preprocessor, usual_preprocessor
from reeltune.models._released_keys import require_numbers
from reeltune.models._tokenizer import read_tokenizer
from reeltune.models.opening.allowance import allowance
from reeltune.models.opening.harmless import require_harmless
from reeltune.models.opening.open import OPEN_CLIP
from reeltune.models.opening.towers import require_fit
from reeltune.models.opening.weights import read_tensors, require_all_keys
from reeltune.storage.settings_file import read_json
from reeltune.types import Pixels

FILE = "open_clip_model.safetensors"
USUAL = usual_preprocessor("clip", 224)  # colours where none are stated


class Part(BaseModel):
    """Settings that are read whole, since one more would be another network."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Vision(Part):
    """`vision_cfg`: sizes of the image tower."""

    image_size: PositiveInt
    layers: PositiveInt
    width: PositiveInt
    patch_size: PositiveInt
    head_width: PositiveInt = 64
    mlp_ratio: PositiveFloat = 4.0


class Text(Part):
    """`text_cfg`: sizes of the text tower."""

    context_length: PositiveInt = 77
    vocab_size: PositiveInt = 49408
    width: PositiveInt
    heads: PositiveInt
    layers: PositiveInt
    mlp_ratio: PositiveFloat = 4.0


class Sizes(Part):
    """`model_cfg`."""

    embed_dim: PositiveInt
    vision_cfg: Vision
    text_cfg: Text
    quick_gelu: bool = False

    def config(self) -> clip.Config:
        """Settings of `clip` for this architecture."""
        seen, read = self.vision_cfg, self.text_cfg
        return clip.Config(
            vision=clip.Tower(
                width=seen.width,
                layers=seen.layers,
                heads=max(1, seen.width // seen.head_width),
                mlp=int(seen.width * seen.mlp_ratio),
            ),
            text=clip.Tower(
                width=read.width,
                layers=read.layers,
                heads=read.heads,
                mlp=int(read.width * read.mlp_ratio),
            ),
            dim=self.embed_dim,
            image=seen.image_size,
            patch=seen.patch_size,
            context=read.context_length,
            vocabulary=read.vocab_size,
            activation="quick_gelu" if self.quick_gelu else "gelu",
        )


class Looks(BaseModel):
    """`preprocess_cfg`: how pictures are brought to a size, and their colours."""

    model_config = ConfigDict(frozen=True)

    mean: tuple[float, float, float] = USUAL.mean
    std: tuple[float, float, float] = USUAL.std
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest"] = "shortest"


class Stated(BaseModel):
    """`open_clip_config.json`."""

    model_config = ConfigDict(frozen=True)

    sizes: Sizes = Field(alias="model_cfg")
    looks: Looks = Field(Looks(), alias="preprocess_cfg")


def convert(folder: Path, out: Path) -> clip.Clip:
    """Write the CLIP of `folder` to `out`, and return it.

    Errors: `CheckpointError` for a network that is not built as OpenAI's, and for files that are
    missing or do not fit.
    """
    path = folder / OPEN_CLIP
    if not (path.is_file() and (folder / FILE).is_file()):
        raise CheckpointError(
            f"{folder} holds no {OPEN_CLIP} with {FILE}; give a folder that holds both, and the "
            "tokenizer's files"
        )
    require_harmless(folder)
    stated = _stated(path)
    config, looks = stated.sizes.config(), stated.looks
    pixels = Pixels(size=config.image, fit="crop", resample=looks.interpolation)
    preprocessor = Preprocessor(pixels=pixels, mean=looks.mean, std=looks.std)
    tokenizer = read_tokenizer(folder)
    with allowance(folder):
        model = clip.Clip(config.towers(), tokenizer, preprocessor).eval()
    require_fit(folder, model.towers.config, pixels, tokenizer)
    _fill(model, folder / FILE)
    model.save_pretrained(out)
    return model


def _stated(path: Path) -> Stated:
    try:
        return Stated.model_validate(read_json(path))
    except ValidationError as error:
        place, fault = first_fault(error)
        raise CheckpointError(
            f"{path} has {place} ({fault}), and only a CLIP that is built as OpenAI's can be "
            "turned; take the form of transformers from its authors"
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not JSON ({in_short(error)}); copy it again") from error


def _fill(model: clip.Clip, path: Path) -> None:
    """Put every weight of the file into its place, and none may be left over or missing."""
    own = model.towers.state_dict()
    given: dict[str, Tensor] = {}
    unknown = []
    for key, tensor in read_tensors(path).items():
        named = as_transformers(key, tensor.float())
        unknown += [] if named else [key]
        given |= named
    shapes = [(name, given[name].shape, own[name].shape) for name in own.keys() & given.keys()]
    require_all_keys(
        path,
        missing=own.keys() - given.keys(),
        unexpected=[*unknown, *(given.keys() - own.keys())],
        misshapen=[f"{n} {tuple(got)} for {tuple(want)}" for n, got, want in shapes if got != want],
    )
    require_numbers(given, path)
    model.towers.load_state_dict(given)
