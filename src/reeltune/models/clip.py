"""CLIP, MetaCLIP 2, SigLIP and SigLIP 2: two towers that end in one space, read frame by frame.

A frame's vector is the image tower's, at unit length. A video's vector is the mean of its
frames' vectors, brought to unit length again: without the second step a video's score would
grow with how alike its frames are, which favours still clips (CLIP4Clip, 2104.08860).
The score of a text and a video is the cosine. Nothing here is learned beyond the two towers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import BaseModel, ConfigDict, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedConfig, PreTrainedModel

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models._clean_text import cleaned
from reeltune.models._device import device_named, precision_named
from reeltune.models._family_inputs import RULES, seen
from reeltune.models._frames_there import require_frames
from reeltune.models._preprocessor import (
    Preprocessor,
    read_preprocessor,
    usual_preprocessor,
    write_preprocessor,
)
from reeltune.models._tokenizer import byte_tokenizer, read_tokenizer
from reeltune.models.opening.towers import (
    FAMILIES,
    PROJECTED,
    quiet,
    read_settings,
    read_towers,
    require_fit,
    shared_width,
)
from reeltune.models.opening.weights import WEIGHTS, fingerprint, versions, write_card
from reeltune.storage.tensors import write_tensors
from reeltune.types import Tokens

Family = Literal["clip", "metaclip_2", "siglip", "siglip2"]
WEIGHTS_FROM = "a local folder or a hub id"  # what `doctor` says of it
FRAMES_AT_ONCE = 32  # bounds the memory of one pass; on two cores the fastest of 8 to 128
TEXTS_AT_ONCE = 256
GPU_TIMES = 8  # as many more frames at once on a GPU, which smaller batches leave idle


class Tower(BaseModel):
    """Size of one transformer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    mlp: PositiveInt | None = None  # hidden units of a block's MLP; None: four times the width

    def settings(self) -> dict[str, int]:
        """These sizes under the names of transformers."""
        if self.width % self.heads:
            raise ConfigError(
                f"a tower's width is {self.width}, which {self.heads} heads cannot share evenly; "
                "make width a multiple of heads"
            )
        return {
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.mlp or 4 * self.width,
        }


class Config(BaseModel):
    """Sizes of the two towers; the defaults are CLIP ViT-B/32 (Radford et al., 2103.00020)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Family = "clip"
    vision: Tower = Tower(width=768, layers=12, heads=12)
    text: Tower = Tower(width=512, layers=12, heads=8)
    dim: PositiveInt = 512  # D; SigLIPs have no projection, so there it is the vision width
    image: PositiveInt = 224  # S, pixels
    patch: PositiveInt = 32  # pixels
    context: PositiveInt = 77  # L at most, tokens
    vocabulary: PositiveInt = 49408
    activation: str | None = None  # None: what the family was trained with

    @classmethod
    def tiny(cls) -> "Config":
        """About 25 thousand parameters, most of them in the table of 514 byte tokens."""
        tower = Tower(width=16, layers=2, heads=2)
        return cls(vision=tower, text=tower, dim=24, image=32, patch=8, context=32, vocabulary=514)

    def towers(self) -> PreTrainedModel:
        """The towers with random weights, drawn from torch's global generator."""
        return FAMILIES[self.family][1](self.settings())

    def settings(self) -> PreTrainedConfig:
        """This architecture as transformers describes it."""
        patches = (self.image // self.patch) ** 2
        is_square = {"num_patches": patches} if self.family == "siglip2" else {}
        vision: dict[str, Any] = {
            **(is_square or {"image_size": self.image}),
            "patch_size": self.patch,
            **self.vision.settings(),
        }
        text: dict[str, Any] = {
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.context,
            "bos_token_id": self.vocabulary - 2,
            "eos_token_id": self.vocabulary - 1,
            "pad_token_id": self.vocabulary - 1,
            **self.text.settings(),
        }
        if self.activation:
            vision["hidden_act"] = text["hidden_act"] = self.activation
        shared: dict[str, Any] = {}
        if self.family in PROJECTED:
            shared = {"projection_dim": self.dim}
            vision["projection_dim"] = text["projection_dim"] = self.dim
        elif self.dim != self.vision.width:
            raise ConfigError(
                f"dim is {self.dim}, but a SigLIP image tower of width {self.vision.width} has no "
                f"projection; give --set config.architecture.dim={self.vision.width}"
            )
        else:
            text["projection_size"] = self.dim
        make: Any = FAMILIES[self.family][0]
        with quiet():
            return make(text_config=text, vision_config=vision, **shared)

    def build(self) -> "Clip":
        """The model with random weights; it reads text byte by byte."""
        return Clip(
            self.towers(),
            byte_tokenizer(self.vocabulary),
            usual_preprocessor(self.family, self.image),
        ).eval()


@runtime_checkable
class MayBeClip(Protocol):
    """A CLIP, or a model that tuned one and may have left its towers without anything new.

    Such a model holds it as `clip`, a module in it, which no protocol can ask for: since Python
    3.12 isinstance does not see what nn.Module keeps.
    """

    @property
    def is_clip(self) -> bool:
        """Whether the towers are a CLIP's, with nothing new in them."""
        ...


class Clip(nn.Module):
    """A `FrameEncoder` around the towers of transformers, which stay reachable as `towers`."""

    mean: Tensor
    std: Tensor
    is_clip = True  # a run that tuned one says it of the towers that it holds

    def __init__(
        self,
        towers: PreTrainedModel,
        tokenizer: Any,
        preprocessor: Preprocessor,
        name: str = "clip",
    ):
        super().__init__()
        self.towers = towers
        self.tokenizer = tokenizer
        self.preprocessor = preprocessor
        self.name = name
        self.family: str = towers.config.model_type
        self.rule = RULES[self.family]
        self.context: int = towers.config.text_config.max_position_embeddings
        self.pixels = preprocessor.pixels
        self.patch: int = towers.config.vision_config.patch_size
        self.dim = shared_width(towers.config)
        self.unit_videos = True  # whether a mean of frames is brought to unit length
        self._stored: tuple[int, str] | None = None  # versions of the weights, their fingerprint
        for key in ("mean", "std"):
            colour = torch.tensor(getattr(preprocessor, key), dtype=torch.float32)
            self.register_buffer(key, colour.view(3, 1, 1), persistent=False)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the weights as stored, whatever the precision in which they run; once
        weights have been changed in place, it is that of the weights as they are."""
        if self._stored is None or self._stored[0] != versions(self):
            self._stored = (versions(self), self._hash())
        return self._stored[1]

    def _hash(self) -> str:
        facts = {
            "model": self.family,
            "pixels": self.preprocessor.facts(),
            "tokens": sorted(self.tokenizer.get_vocab().items()),
            **({"text": "ftfy, HTML"} if self.rule.clean is cleaned else {}),
        }
        return fingerprint(self.towers.state_dict(), facts)

    def move(self, device: torch.device, dtype: torch.dtype) -> "Clip":
        """Place the towers; the fingerprint stays that of the weights before rounding."""
        stored = self.fingerprint
        self.to(device)
        self.towers.to(dtype)
        self._stored = (versions(self), stored)
        return self

    @property
    def logit_scale(self) -> Tensor:
        """Logarithm of the factor that turns a cosine into a logit."""
        return self.towers.logit_scale

    def tokenize(self, texts: Sequence[str], at_most: int | None = None) -> Tokens:
        """Token ids on the CPU, cut to `at_most` (`context`) tokens with the end mark kept."""
        if not texts:
            raise DataError("there is no text to tokenize; give at least one")
        texts, most = [self.rule.clean(text) for text in texts], at_most or self.context
        read = self.tokenizer(
            texts,
            padding=self.rule.padding,
            truncation=True,
            max_length=most,
            return_attention_mask=True,
            return_tensors="pt",
        )
        ids, mask = read["input_ids"], read["attention_mask"].bool()
        known = mask & ~torch.isin(ids, torch.tensor(self.tokenizer.all_special_ids))
        return Tokens(ids, mask, known.any(dim=1), self._cut(texts, mask, most))

    def _cut(
        self, texts: Sequence[str], mask: Bool[Tensor, "B L"], most: int
    ) -> Bool[Tensor, " B"]:
        """Whether a text has more than `most` tokens; those that fill them are counted anew."""
        cut = mask.sum(dim=1) >= most
        for row in cut.nonzero().flatten().tolist():
            cut[row] = len(self.tokenizer(texts[row], verbose=False)["input_ids"]) > most
        return cut

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        """Unit vectors in float32, on the model's device."""
        device = self.mean.device
        parts = []
        chunks = (torch.split(part, TEXTS_AT_ONCE) for part in (tokens.ids, tokens.mask))
        for ids, mask in zip(*chunks, strict=True):
            there = mask.long().to(device) if self.rule.masked else None
            read = self.towers.get_text_features(input_ids=ids.to(device), attention_mask=there)
            parts.append(_unit(read.pooler_output))
        return torch.cat(parts)

    def encode_frames(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """Unit vectors in float32, on the model's device."""
        self._require_pixels(frames)
        if len(frames) == 0:
            return self.mean.new_zeros(0, self.dim)
        at_once = FRAMES_AT_ONCE * (GPU_TIMES if self.mean.is_cuda else 1)
        parts = [_unit(self._read(some)) for some in torch.split(frames, at_once)]
        return torch.cat(parts)

    def normalize(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B 3 S S"]:
        """Colours as the towers were trained on them, in float32, on the model's device."""
        return (frames.to(self.mean.device).float() / 255 - self.mean) / self.std

    def _read(self, frames: Tensor) -> Tensor:
        colours = self.normalize(frames).to(self.towers.dtype)
        inputs = seen(self.family, colours, self.patch)
        vectors = self.towers.get_image_features(**inputs).pooler_output
        if vectors is None:
            raise CheckpointError(
                f"the image tower of {self.name} has no pooling head (vision_use_head is false in "
                "its config.json), so it makes no vector of a frame; give a model that has one"
            )
        return vectors

    def _require_pixels(self, frames: Tensor) -> None:
        size = self.pixels.size
        if frames.dtype != torch.uint8 or tuple(frames.shape[1:]) != (3, size, size):
            raise DataError(
                f"frames are {frames.dtype} {tuple(frames.shape)}, and {self.name} reads "
                f"torch.uint8 (B, 3, {size}, {size}); decode them with the model's own `pixels`"
            )

    def pool_frames(
        self, features: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Mean over the real frames, brought to unit length where `unit_videos` says so."""
        require_frames(mask)
        kept = features.masked_fill(~mask[..., None], 0)  # (B, T, D)
        mean = kept.sum(dim=1) / mask.sum(dim=1, keepdim=True).to(features)  # (B, D)
        return _unit(mean) if self.unit_videos else mean.float()

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """`pool_frames` of `encode_frames`; frames that the mask hides are not computed."""
        mask = mask.to(self.mean.device)
        real = self.encode_frames(frames[mask.to(frames.device)])  # (frames in all, D)
        features = real.new_zeros(*mask.shape, self.dim)  # (B, T, D)
        features[mask] = real
        return self.pool_frames(features, mask)

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Cosines: both sides have unit length."""
        return text @ video.T

    def save_pretrained(self, folder: Path | str) -> None:
        """Write a folder that both Reeltune and transformers can open."""
        folder = Path(folder)
        settings = self.towers.config
        settings.architectures = [type(self.towers).__name__]
        with quiet():
            settings.save_pretrained(folder)
        write_tensors(folder / WEIGHTS, self.towers.state_dict(), {"format": "pt"})
        self.tokenizer.save_pretrained(folder)
        write_preprocessor(folder, self.family, self.preprocessor, self.patch)
        write_card(folder, "clip", {})


def load(folder: Path | str | None, device: str | None = None, dtype: str | None = None) -> Clip:
    """The model in a Hugging Face folder, whole or not at all.

    Errors: `CheckpointError` names the file, field or keys that do not fit.
    """
    if folder is None:
        raise CheckpointError(
            "clip is an architecture without weights of its own; give a folder that holds a CLIP "
            "or SigLIP model, or a hub id such as openai/clip-vit-base-patch32"
        )
    folder = Path(folder)
    place, precision = device_named(device), precision_named(dtype)
    settings = read_settings(folder)
    preprocessor = read_preprocessor(folder, settings.model_type)
    tokenizer = read_tokenizer(folder)
    require_fit(folder, settings, preprocessor.pixels, tokenizer)
    model = Clip(read_towers(folder, settings), tokenizer, preprocessor, str(folder))
    return model.move(place, precision).eval()


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors.float(), dim=-1)
