"""Reads how a model treats pixels from the folder of a Hugging Face model."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import (
    CLIPImageProcessorPil,
    Gemma4ImageProcessorPil,
    Qwen2VLImageProcessorPil,
    Siglip2ImageProcessorPil,
    SiglipImageProcessorPil,
)

from reeltune.errors import CheckpointError, in_short
from reeltune.storage.settings_file import read_json
from reeltune.types import Pixels

FILE = "preprocessor_config.json"
PROCESSORS = {
    "clip": CLIPImageProcessorPil,
    "metaclip_2": CLIPImageProcessorPil,
    "siglip": SiglipImageProcessorPil,
    "siglip2": Siglip2ImageProcessorPil,
    "embedding_gemma2": Gemma4ImageProcessorPil,
    "qwen3_vl": Qwen2VLImageProcessorPil,
}
CROPPING = ("clip", "metaclip_2")  # families that cut the middle, where others squash
KINDS = {  # names of image processors in the files of a family
    "clip": {"CLIPImageProcessor", "CLIPFeatureExtractor"},
    "metaclip_2": {"CLIPImageProcessor", "CLIPFeatureExtractor"},
    "siglip": {"SiglipImageProcessor"},
    "siglip2": {"Siglip2ImageProcessor"},
    "embedding_gemma2": {"Gemma4ImageProcessor"},
    "qwen3_vl": {"Qwen2VLImageProcessor"},
}
UNNORMALISED = ("embedding_gemma2", "do_normalize")  # its vision tower does so itself
RESAMPLE: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}  # Pillow's


@dataclass(frozen=True, kw_only=True)
class Preprocessor:
    """Geometry, which is applied where frames are decoded, and colour, applied inside the model."""

    pixels: Pixels
    mean: tuple[float, float, float]  # of red, green, blue in 0..1
    std: tuple[float, float, float]

    def facts(self) -> dict[str, object]:
        """The facts about preprocessing that go into a fingerprint."""
        return {**asdict(self.pixels), "mean": self.mean, "std": self.std}


def usual_preprocessor(family: str, size: int) -> Preprocessor:
    """The preprocessing that a family was trained with, for images of `size` pixels."""
    usual = PROCESSORS[family]
    fit: Literal["crop", "squash"] = "crop" if family in CROPPING else "squash"
    return Preprocessor(
        pixels=Pixels(size=size, fit=fit, resample="bicubic"),
        mean=tuple(usual.image_mean),
        std=tuple(usual.image_std),
    )


def read_preprocessor(folder: Path, family: str) -> Preprocessor:
    """Preprocessing of two towers as `preprocessor_config.json` (or `processor_config.json`) states
    it."""
    stated = stated_processor(folder, family)
    return Preprocessor(
        pixels=_patched(folder, stated) if family == "siglip2" else _geometry(folder, stated),
        mean=tuple(stated.image_mean),
        std=tuple(stated.image_std),
    )


def stated_processor(folder: Path, family: str) -> Any:
    """The image processor of transformers with the settings of the folder; its pixels are brought
    to a size, to 0..1, and normalised where `do_normalize` says so."""
    try:
        stated = PROCESSORS[family].from_dict(_settings(folder, KINDS[family]))
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{folder / FILE} cannot be read ({in_short(error)}); copy it again"
        ) from error
    for switch in ("do_resize", "do_rescale", "do_normalize"):
        if not getattr(stated, switch) and (family, switch) != UNNORMALISED:
            raise unusual(folder, switch, "false", "true")
    if abs(stated.rescale_factor * 255 - 1) > 1e-6:
        raise unusual(folder, "rescale_factor", stated.rescale_factor, "1/255")
    if stated.resample not in RESAMPLE:
        raise unusual(folder, "resample", stated.resample, "2 (bilinear) or 3 (bicubic)")
    return stated


def write_preprocessor(folder: Path, family: str, preprocessor: Preprocessor, patch: int) -> None:
    """Write `preprocessor_config.json` as transformers does."""
    pixels = preprocessor.pixels
    if family == "siglip2":
        _write_patched(folder, preprocessor, patch)
        return
    square = {"height": pixels.size, "width": pixels.size}
    crop = pixels.fit == "crop"
    PROCESSORS[family](
        size={"shortest_edge": pixels.shortest or pixels.size} if crop else square,
        do_center_crop=crop,
        crop_size=square if crop else None,
        resample=next(code for code, name in RESAMPLE.items() if name == pixels.resample),
        image_mean=list(preprocessor.mean),
        image_std=list(preprocessor.std),
    ).save_pretrained(folder)


def _write_patched(folder: Path, preprocessor: Preprocessor, patch: int) -> None:
    pixels = preprocessor.pixels
    Siglip2ImageProcessorPil(
        patch_size=patch,
        max_num_patches=(pixels.size // patch) ** 2,
        resample=next(code for code, name in RESAMPLE.items() if name == pixels.resample),
        image_mean=list(preprocessor.mean),
        image_std=list(preprocessor.std),
    ).save_pretrained(folder)


def _settings(folder: Path, kinds: set[str]) -> dict[str, Any]:
    """The image processor's settings, nested in `processor_config.json` or in their own file."""
    for name in ("processor_config.json", FILE):
        path = folder / name
        if not path.is_file():
            continue
        try:
            found = read_json(path)
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{path} is not JSON ({in_short(error)}); copy it again"
            ) from error
        settings = found.get("image_processor") if name != FILE else found
        if settings:
            return _known(path, settings, kinds)
    raise CheckpointError(
        f"{folder} has no {FILE}, so how the model reads pixels is unknown; "
        "copy that file from where the weights came from"
    )


def _known(path: Path, settings: dict[str, Any], kinds: set[str]) -> dict[str, Any]:
    kind = settings.get("image_processor_type") or settings.get("feature_extractor_type")
    if kind and kind.removesuffix("Fast").removesuffix("Pil") not in kinds:
        raise CheckpointError(
            f"{path} asks for {kind}, and a model of this type has {' or '.join(sorted(kinds))}; "
            "take config.json and this file from the same model"
        )
    return settings


def _geometry(folder: Path, stated: Any) -> Pixels:
    """`Pixels` for the two ways in use: shortest edge then centre crop, or an exact square."""
    size, resample = stated.size, RESAMPLE[stated.resample]
    cut = stated.crop_size if stated.do_center_crop else None
    if size.shortest_edge and not size.longest_edge and cut and cut.height == cut.width:
        if cut.height <= size.shortest_edge:
            shortest = size.shortest_edge if size.shortest_edge != cut.height else None
            return Pixels(size=cut.height, fit="crop", resample=resample, shortest=shortest)
    elif size.height and size.height == size.width and cut in (None, size):
        return Pixels(size=size.height, fit="squash", resample=resample)
    wanted = "a shortest edge with a square centre crop inside it, or one exact square"
    raise unusual(folder, "size and crop_size", f"{size} and {cut}", wanted)


def _patched(folder: Path, stated: Any) -> Pixels:
    """The largest square of NaFlex's patches; frames come as squares, so no aspect is kept."""
    if min(stated.patch_size, stated.max_num_patches) < 1:
        sizes = f"{stated.patch_size} and {stated.max_num_patches}"
        raise unusual(folder, "patch_size and max_num_patches", sizes, "numbers above 0")
    side = stated.patch_size * math.isqrt(stated.max_num_patches)
    return Pixels(size=side, fit="squash", resample=RESAMPLE[stated.resample])


def unusual(folder: Path, field: str, got: object, wanted: str) -> CheckpointError:
    """The error about a setting that no model here can follow."""
    return CheckpointError(
        f"{folder / FILE} has {field} {got}, and Reeltune can do {wanted}; "
        "use another model, or correct the file if it is wrong"
    )
