"""The networks of a model, read from a Hugging Face folder: two towers of CLIP's or SigLIP's kind,
or one that embeds texts and pictures alike."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    CLIPConfig,
    CLIPModel,
    EmbeddingGemma2Config,
    EmbeddingGemma2Model,
    MetaClip2Config,
    MetaClip2Model,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen3VLConfig,
    Qwen3VLModel,
    Siglip2Config,
    Siglip2Model,
    SiglipConfig,
    SiglipModel,
)
from transformers.utils import logging

from reeltune.errors import CheckpointError, in_short
from reeltune.models.opening.harmless import require_harmless
from reeltune.models.opening.weights import WEIGHTS, read_tensors, require_all_keys, require_weights
from reeltune.nn.packed import packed_name
from reeltune.types import Pixels

Networks = dict[str, tuple[type[PreTrainedConfig], type[PreTrainedModel]]]
FAMILIES: Networks = {
    "clip": (CLIPConfig, CLIPModel),
    "metaclip_2": (MetaClip2Config, MetaClip2Model),
    "siglip": (SiglipConfig, SiglipModel),
    "siglip2": (Siglip2Config, Siglip2Model),
}
EMBEDDERS: Networks = {
    "embedding_gemma2": (EmbeddingGemma2Config, EmbeddingGemma2Model),
    "qwen3_vl": (Qwen3VLConfig, Qwen3VLModel),
}
KNOWN = FAMILIES | EMBEDDERS
SPARE = {"qwen3_vl": {"lm_head.weight"}}  # weights that a folder may have for another task
PROJECTED = ("clip", "metaclip_2")  # both towers end in a projection, and a text in an end token
OLD_END = 2  # `eos_token_id` of configs from before 2023: the end is where the largest id stands


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers: its progress bars are noise and its warnings are our errors."""
    said, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(said)
        if bars:
            logging.enable_progress_bar()


def read_settings(folder: Path, known: Networks = KNOWN) -> PreTrainedConfig:
    """The architecture in `config.json`, refused if it is not of a family in `known`."""
    path = folder / "config.json"
    require_harmless(folder)
    if not path.is_file():
        raise CheckpointError(
            f"{folder} has no config.json and is no folder that training wrote; give the folder of "
            "a whole model"
        )
    try:
        with quiet():
            found, _ = PreTrainedConfig.get_config_dict(folder, local_files_only=True)
            kind = found.get("model_type")
            settings = AutoConfig.for_model(**found) if kind in known else None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        why = in_short(error)
        raise CheckpointError(f"{path} cannot be read ({why}); copy it again") from error
    if settings is None:
        raise CheckpointError(
            f"{path} has model_type {kind!r}, and known here are {', '.join(known)}; give the "
            "folder of a whole model of one of these"
        )
    if kind == "embedding_gemma2":
        settings.audio_config = None  # sound is not read, and takes two weights of five
    return settings


def towers_of(settings: PreTrainedConfig) -> PreTrainedModel:
    """Networks of the architecture `settings`, with random weights."""
    return KNOWN[settings.model_type][1](settings)


def read_towers(folder: Path, settings: PreTrainedConfig) -> PreTrainedModel:
    """The networks in float32 on the CPU, with every weight of the folder in its place."""
    require_weights(folder)
    is_packed = packed_name(folder / WEIGHTS).is_file() and not (folder / WEIGHTS).is_file()
    packed = read_tensors(folder / WEIGHTS) if is_packed else None  # transformers cannot read it
    try:
        with quiet():
            towers, found = KNOWN[settings.model_type][1].from_pretrained(
                None if is_packed else folder,
                state_dict=packed,
                config=settings,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,  # they come back in `found`, with the keys
                output_loading_info=True,
            )
    except CheckpointError:
        raise
    except Exception as error:  # safetensors and transformers share no base class of errors
        raise CheckpointError(
            f"the weights in {folder} cannot be read ({in_short(error)}); copy or download "
            "them again"
        ) from error
    misshapen = [f"{key} {tuple(a)} for {tuple(b)}" for key, a, b in found["mismatched_keys"]]
    require_all_keys(
        folder,
        missing=found["missing_keys"],
        unexpected=set(found["unexpected_keys"]) - SPARE.get(settings.model_type, set()),
        misshapen=misshapen,
    )
    return towers


def require_fit(folder: Path, settings: PreTrainedConfig, pixels: Pixels, tokenizer: Any) -> None:
    """Refuse files that do not belong together; each case would run, and be silently wrong."""
    text, image = settings.text_config, side_read(settings)
    if pixels.size != image:
        raise CheckpointError(
            f"{folder}: the preprocessor cuts images of {pixels.size} pixels and the "
            f"image tower reads {image}; take both files from the same model"
        )
    vocabulary: Mapping[str, int] = tokenizer.get_vocab()
    largest = max(vocabulary.values())
    if largest >= text.vocab_size:
        raise CheckpointError(
            f"{folder}: the tokenizer has ids up to {largest} and the text tower knows "
            f"{text.vocab_size}; take both from the same model"
        )
    is_old = settings.model_type == "clip" and text.eos_token_id == OLD_END
    end = largest if is_old else text.eos_token_id
    if settings.model_type in PROJECTED and tokenizer.eos_token_id != end:
        raise CheckpointError(
            f"{folder}: the text tower reads its vector at token {end} and the tokenizer ends a "
            f"text with {tokenizer.eos_token_id}; set text_config.eos_token_id in config.json"
        )


def side_read(settings: PreTrainedConfig) -> int:
    """Pixels of a side of the squares that the image tower reads.

    NaFlex reads rectangles of any number of patches; its squares are those whose patches are as
    many as it has positions.
    """
    vision = settings.vision_config
    if settings.model_type == "siglip2":
        return vision.patch_size * math.isqrt(max(vision.num_patches, 0))
    return vision.image_size


def shared_width(settings: PreTrainedConfig) -> int:
    """Width of the space that both towers end in; CheckpointError where they end in two."""
    if settings.model_type in PROJECTED:
        return settings.projection_dim
    text, vision = settings.text_config.projection_size, settings.vision_config.hidden_size
    if text != vision:
        raise CheckpointError(
            f"the text tower ends in {text} numbers and the image tower in {vision}; "
            "they must be as many to be compared"
        )
    return vision
