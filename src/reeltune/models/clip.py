"""CLIP, MetaCLIP 2, SigLIP and SigLIP 2: two towers that end in one space, read frame by frame.

A frame's vector is the image tower's, at unit length. Nothing here is learned beyond the two
towers.

The image tower of a CLIP may merge alike tokens of a frame as it reads it, which is faster and
changes its vectors (`Clip.merge`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from reeltune.errors import CheckpointError, ConfigError, DataError, counted
from reeltune.models._by_frames import ByFrames, unit
from reeltune.models._device import device_named, precision_named
from reeltune.models._family_inputs import RULES, seen
from reeltune.models._merged_tower import merged_frames
from reeltune.models._preprocessor import (
    Preprocessor,
    read_preprocessor,
    usual_preprocessor,
    write_preprocessor,
)
from reeltune.models._rounded import with_rounded
from reeltune.models._tokenizer import byte_tokenizer, cut_and_padded, read_tokenizer
from reeltune.models.exported.card import Part
from reeltune.models.exported.graphs import Graph, Graphs
from reeltune.models.opening.towers import (
    FAMILIES,
    OLD_END,
    PROJECTED,
    quiet,
    read_settings,
    read_towers,
    require_fit,
    shared_width,
)
from reeltune.models.opening.weights import CARD, WEIGHTS, card_settings, versions
from reeltune.models.text_towers import clip as text
from reeltune.models.text_towers.layers import ACTIVATIONS
from reeltune.records import Precision
from reeltune.types import Tokens

Family = Literal["clip", "metaclip_2", "siglip", "siglip2"]
WEIGHTS_FROM = "a local folder or a hub id"  # what `doctor` says of it
FRAMES_AT_ONCE = 32  # bounds the memory of one pass; on two cores the fastest of 8 to 128
INT8_AT_ONCE = 8  # frames in int8: 32 take 1.16 times as long each
TEXTS_AT_ONCE = 256
MERGING = ("clip", "metaclip_2")  # families whose image tower may merge tokens
ROUNDED: dict[Precision, tuple[str, ...]] = {  # what of an image tower a coarser precision takes
    "bfloat16": ("towers.vision_model", "towers.visual_projection"),
    "int8": ("towers.vision_model.encoder",),  # whose linear layers are all but all of its time
}


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


class Card(BaseModel):
    """What the card in a folder says beside the towers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    merged: NonNegativeInt = 0  # as of `Clip`


class Clip(ByFrames):
    """A `FrameEncoder` of the two towers of transformers."""

    is_clip = True  # a run that tuned one says it of the towers that it holds
    frames_at_once = FRAMES_AT_ONCE
    roundings = tuple(ROUNDED)

    def __init__(
        self,
        towers: PreTrainedModel,
        tokenizer: Any,
        preprocessor: Preprocessor,
        name: str = "clip",
    ):
        super().__init__(towers, tokenizer, preprocessor, name)
        self.rule = RULES[self.family]
        self.context: int = towers.config.text_config.max_position_embeddings
        self.patch: int = towers.config.vision_config.patch_size
        self.dim = shared_width(towers.config)
        self.folder: Path | None = None  # from which it was read
        self.merged = 0  # tokens of a frame merged in each layer of the image tower

    def merge(self, tokens: int) -> None:
        """Merge so many tokens of a frame in each layer of the image tower from now on; the
        fingerprint says it.

        Errors: `ConfigError` for a model without class token, whose vector is made of all tokens.
        """
        if tokens and self.family not in MERGING:
            raise ConfigError(
                f"{self.name} is a {self.family}, whose vector is made of all tokens of a frame, "
                "and tokens are merged around the class token of a CLIP; give a CLIP such as "
                "openai/clip-vit-base-patch32"
            )
        self.merged, self._stored = tokens, None

    def facts(self) -> dict[str, object]:
        """What shapes a vector beside the weights, for the fingerprint."""
        cleaning = {"text": "ftfy, HTML"} if self.rule.cleaning == "clip" else {}
        merged = {"merged": self.merged} if self.merged else {}
        return super().facts() | cleaning | merged

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
        chunks = (torch.split(part, TEXTS_AT_ONCE) for part in (tokens.ids, tokens.mask))
        few = zip(*chunks, strict=True)
        return torch.cat([self._few_texts(ids.to(device), mask.to(device)) for ids, mask in few])

    def _few_texts(self, ids: Int[Tensor, "B L"], mask: Shaped[Tensor, "B L"]) -> Tensor:
        there = mask.long() if self.rule.masked else None
        read = self.towers.get_text_features(input_ids=ids, attention_mask=there)
        return unit(read.pooler_output)

    def text_tower(self) -> tuple[text.Facts, str] | None:
        """How texts are read without torch; None where the weights are not in one plain file, or
        the tokenizer is none of the library tokenizers."""
        settings, words = self.towers.config.text_config, self.tokenizer
        file = None if self.folder is None else self.folder / WEIGHTS
        is_known = settings.hidden_act in ACTIVATIONS and hasattr(words, "backend_tokenizer")
        if file is None or not file.is_file() or not is_known:
            return None
        is_projected = self.family in PROJECTED
        is_old = self.family == "clip" and settings.eos_token_id == OLD_END
        end = words.eos_token_id if is_old else settings.eos_token_id
        facts = text.Facts(
            weights=file.absolute(),
            layers=settings.num_hidden_layers,
            heads=settings.num_attention_heads,
            eps=settings.layer_norm_eps,
            activation=settings.hidden_act,
            cleaning=self.rule.cleaning,
            causal=is_projected,
            end=end if is_projected else None,
            projection="text_projection" if is_projected else "text_model.head",
        )
        is_padded = self.rule.padding == "max_length"  # one text by itself is the longest
        return facts, cut_and_padded(words, self.context, "max_length" if is_padded else None)

    def graphs(self) -> Graphs:
        """What `reeltune export` writes of it."""
        words = self.tokenizer
        if not hasattr(words, "backend_tokenizer"):
            raise ConfigError(
                f"the tokenizer of {self.name} is none of the library tokenizers, by which an "
                "exported model reads words; get the model's tokenizer.json"
            )
        if self.family == "siglip2":
            raise ConfigError(
                f"{self.name} cannot be exported: the image tower of NaFlex lays out its positions "
                "anew for each picture, which ONNX does not follow; give a SigLIP 2 of fixed size"
            )
        if self.merged:
            raise ConfigError(
                f"{self.name} cannot be exported: it merges tokens of a frame, in an order that is "
                "sorted anew for each one, which the export to ONNX does not follow; give the CLIP "
                "that it was made of"
            )
        return Graphs(
            text=Graph(self._few_texts, self),
            frames=Graph(lambda frames: unit(self.vectors_of(frames)), self),
            parts=(Part(width=self.dim, length=1.0 if self.unit_videos else None),),
            words=cut_and_padded(words, self.context, self.rule.padding),
            cleaning=self.rule.cleaning,
            frames_at_once=FRAMES_AT_ONCE,
        )

    def vectors_of(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """Vectors of a few frames, as the image tower makes them."""
        colours = self.normalize(frames).to(self.towers.vision_model.dtype)
        if self.merged:
            read = merged_frames(self.towers.vision_model, colours, self.merged)
            made: Tensor = self.towers.visual_projection(read)
            return made
        inputs = seen(self.family, colours, self.patch)
        vectors: Tensor | None = self.towers.get_image_features(**inputs).pooler_output
        if vectors is None:
            raise CheckpointError(
                f"the image tower of {self.name} has no pooling head (vision_use_head is false in "
                "its config.json), so it makes no vector of a frame; give a model that has one"
            )
        return vectors

    def rounded(self, precision: Precision) -> "Clip":
        """A model whose image tower is in this precision, and which else is this one."""
        copied = with_rounded(self, ROUNDED[precision], precision)
        if precision == "int8":
            copied.frames_at_once = INT8_AT_ONCE
        copied._stored = versions(copied), self.fingerprint
        return copied

    def save_pretrained(self, folder: Path | str) -> None:
        """Write a folder that both Reeltune and transformers can open."""
        write_preprocessor(Path(folder), self.family, self.preprocessor, self.patch)
        told = {"merged": self.merged} if self.merged else {}
        self.write_networks(Path(folder), "clip", **told)


def require_whole(base: Clip) -> None:
    """Raise ConfigError for a CLIP that merges tokens, under a model that reads frames by its
    towers itself and would not merge them."""
    if base.merged:
        raise ConfigError(
            f"{base.name} merges {counted(base.merged, 'token')} of a frame in each layer, which "
            "is not read by what reads its towers in a way of its own; give the CLIP that it was "
            "made of"
        )


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
    settings = read_settings(folder, FAMILIES)
    preprocessor = read_preprocessor(folder, settings.model_type)
    tokenizer = read_tokenizer(folder)
    require_fit(folder, settings, preprocessor.pixels, tokenizer)
    model = Clip(read_towers(folder, settings), tokenizer, preprocessor, str(folder))
    model.folder = folder
    if (folder / CARD).is_file():
        model.merge(card_settings(folder, Card).merged)
    return model.move(place, precision).eval()
