"""EmbeddingGemma 2: texts and frames in one space, by one network that reads both ways.

A text is a query of the task that the authors name search; a frame stands alone between the marks
of a picture. The vector is the mean of the last hidden states over all tokens, and its first 512,
256 or 128 numbers are vectors as well. The network is that of transformers. Sound is not read.
"""

import math
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import BaseModel, ConfigDict, PositiveInt
from torch import Tensor
from torch.nn import functional as F
from transformers import EmbeddingGemma2Config, EmbeddingGemma2Model, Gemma4ImageProcessorPil

from reeltune.errors import CheckpointError
from reeltune.models._device import device_named, precision_named
from reeltune.models._embedder import Embedder, read_folder, require_tokens, widths_below
from reeltune.models._family_inputs import patches
from reeltune.models._preprocessor import RESAMPLE, Preprocessor, unusual
from reeltune.models._tokenizer import marked_tokenizer
from reeltune.models.clip import Tower
from reeltune.models.opening.towers import quiet, read_towers
from reeltune.types import Pixels

FAMILY = "embedding_gemma2"
WEIGHTS_FROM = "a local folder or a hub id"  # what `doctor` says of it
PROMPT = "task: search result | query: "  # before a text
WIDTHS = (512, 256, 128)  # to which vectors were trained to be cut
CONTEXT = 8192  # tokens, as published
MARKS = ("<pad>", "<eos>", "<bos>", "<unk>", "<boi>", "<image>", "<eoi>", "<video>", "<audio>")


class Config(BaseModel):
    """Sizes of the network; the defaults are those of google/embeddinggemma-2."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vision: Tower = Tower(width=768, layers=16, heads=12, mlp=3072)
    text: Tower = Tower(width=512, layers=24, heads=4, mlp=2048)
    head: PositiveInt = 256  # width of a head of text; layers that see all tokens have twice that
    gate: PositiveInt = 512  # width of the signal by which each layer is gated
    dim: PositiveInt = 768  # D
    patch: PositiveInt = 16  # pixels
    pooling: PositiveInt = 3  # patches of a side that become one token
    pictured: PositiveInt = 280  # tokens of a picture at most: 70, 140, 280, 560 or 1120
    context: PositiveInt = CONTEXT  # L at most, tokens
    vocabulary: PositiveInt = 262144

    @classmethod
    def tiny(cls) -> "Config":
        """About 30 thousand parameters, whose vectors can be cut to 128 numbers."""
        tower = Tower(width=16, layers=2, heads=2)
        sizes = {"head": 8, "gate": 8, "dim": 160, "patch": 2, "pictured": 70}
        return cls(vision=tower, text=tower, context=128, vocabulary=265, **sizes)

    def settings(self) -> EmbeddingGemma2Config:
        """This architecture as transformers describes it."""
        pattern = min(6, self.text.layers)  # the last of so many layers sees all tokens
        text = {
            **self.text.settings(),
            "num_key_value_heads": max(1, self.text.heads // 2),
            "head_dim": self.head,
            "global_head_dim": 2 * self.head,
            "sliding_window_pattern": pattern,
            "hidden_size_per_layer_input": self.gate,
            "embedding_dim": self.dim,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.context,
        }
        vision = {
            "model_type": "gemma4_vision",
            **self.vision.settings(),
            "num_key_value_heads": self.vision.heads,
            "head_dim": self.vision.width // self.vision.heads,
            "patch_size": self.patch,
            "pooling_kernel_size": self.pooling,
        }
        names = {"boi_token_id": "<boi>", "image_token_id": "<image>", "eoi_token_id": "<eoi>"}
        names |= {"video_token_id": "<video>", "audio_token_id": "<audio>"}
        ids = {name: MARKS.index(mark) for name, mark in names.items()}
        with quiet():
            return EmbeddingGemma2Config(text_config=text, vision_config=vision, **ids)

    def build(self) -> "EmbeddingGemma2":
        """The model with random weights; it reads text byte by byte."""
        stated = Gemma4ImageProcessorPil(
            patch_size=self.patch, max_soft_tokens=self.pictured, pooling_kernel_size=self.pooling
        )
        towers = EmbeddingGemma2Model(self.settings())
        tokenizer = marked_tokenizer(MARKS, "<bos> $A <eos>", "<pad>", "<eos>")
        return EmbeddingGemma2(towers, tokenizer, stated).eval()


class EmbeddingGemma2(Embedder):
    """A `FrameEncoder` that is a `Matryoshka`."""

    def __init__(
        self,
        towers: EmbeddingGemma2Model,
        tokenizer: Any,
        stated: Gemma4ImageProcessorPil,
        name: str = "embedding-gemma2",
    ):
        self.stated = stated
        self.patches = stated.max_soft_tokens * stated.pooling_kernel_size**2  # with padding
        settings, text = towers.config, towers.config.text_config
        self.marks = (settings.boi_token_id, settings.image_token_id, settings.eoi_token_id)
        super().__init__(
            towers,
            tokenizer,
            _preprocessor(stated),
            name,
            widths=widths_below(text.embedding_dim, WIDTHS),
            context=min(CONTEXT, text.max_position_embeddings),
        )

    def facts(self) -> dict[str, object]:
        """What shapes a vector beside the weights, for the fingerprint."""
        return {**super().facts(), "prompt": PROMPT, "patches": self.patches}

    def sequence(self, text: str) -> list[int]:
        """Token ids of the task and the text, with the marks that begin and end them."""
        return list(self.tokenizer(PROMPT + text, split_special_tokens=True)["input_ids"])

    @property
    def closing(self) -> int:
        """1 where the tokenizer marks the end of a text, else 0."""
        return int(self.tokenizer("")["input_ids"][-1:] == [self.tokenizer.eos_token_id])

    def picture_ids(self) -> list[int]:
        """Token ids of a frame: its marks, between those that begin and end a text."""
        along = self.pixels.size // (self.stated.patch_size * self.stated.pooling_kernel_size)
        begin, each, end = self.tokenizer.convert_ids_to_tokens(list(self.marks))
        return list(self.tokenizer(begin + each * along**2 + end)["input_ids"])

    def pictures(self, frames: UInt8[Tensor, "B 3 S S"]) -> dict[str, Tensor]:
        """Patches in 0..1 and their places, both padded to as many as a picture may have."""
        rows = patches(self.normalize(frames), self.stated.patch_size)  # (B, P, N)
        along = self.pixels.size // self.stated.patch_size
        place = torch.arange(along, device=rows.device)
        places = torch.stack(torch.meshgrid(place, place, indexing="xy"), dim=-1).flatten(0, 1)
        spare = self.patches - along**2
        padded = F.pad(places, (0, 0, 0, spare), value=-1)  # (P, 2), across and down
        return {
            "pixel_values": F.pad(rows, (0, 0, 0, spare)),
            "image_position_ids": padded.expand(len(frames), -1, -1),
        }

    def pooled(
        self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"], **pictures: Tensor
    ) -> Float[Tensor, "B W"]:
        """Means of the last hidden states over the tokens that are there."""
        read = self.towers(input_ids=ids, attention_mask=mask.long(), **pictures)
        there = mask[..., None].float()
        return (read.last_hidden_state.float() * there).sum(dim=1) / there.sum(dim=1)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write a folder that both Reeltune and transformers can open."""
        self.stated.save_pretrained(folder)
        self.write_networks(Path(folder), "embedding-gemma2")


def _preprocessor(stated: Any) -> Preprocessor:
    """The largest square of whole tokens within a picture's budget; colours in 0..1, which the
    network itself normalises."""
    step = stated.patch_size * stated.pooling_kernel_size
    side = math.isqrt(stated.max_soft_tokens) * step
    pixels = Pixels(size=side, fit="squash", resample=RESAMPLE[stated.resample])
    return Preprocessor(pixels=pixels, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def _require_fit(folder: Path, settings: EmbeddingGemma2Config, stated: Any) -> None:
    vision = settings.vision_config
    if vision is None:
        raise CheckpointError(
            f"{folder}: config.json has no vision_config, so the model reads texts alone; give a "
            "folder that holds the whole model"
        )
    if stated.do_normalize and (stated.image_mean, stated.image_std) != ([0.0] * 3, [1.0] * 3):
        raise unusual(folder, "do_normalize", "true", "false")
    for name in ("patch_size", "pooling_kernel_size"):
        if getattr(vision, name) != getattr(stated, name):
            raise unusual(
                folder,
                name,
                getattr(stated, name),
                f"{getattr(vision, name)}, which config.json has",
            )


def load(
    folder: Path | str | None, device: str | None = None, dtype: str | None = None
) -> EmbeddingGemma2:
    """The model in a Hugging Face folder, whole or not at all, but for what reads sound.

    Errors: `CheckpointError` names the file, field or keys that do not fit.
    """
    place, precision = device_named(device), precision_named(dtype)
    found = read_folder(
        folder,
        FAMILY,
        "embedding-gemma2 has no weights of its own; give a folder that holds an "
        "EmbeddingGemma 2, or gemma2, which is that of the hub",
    )
    path, settings = found.path, found.settings
    _require_fit(path, settings, found.stated)
    marks = ("boi_token_id", "image_token_id", "eoi_token_id")
    ids = {name: getattr(settings, name) for name in marks}
    require_tokens(path, found.tokenizer, settings.text_config.vocab_size, ids)
    towers: Any = read_towers(path, settings)
    made = EmbeddingGemma2(towers, found.tokenizer, found.stated, str(path))
    return made.move(place, precision).eval()
