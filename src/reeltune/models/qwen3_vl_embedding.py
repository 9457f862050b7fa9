"""Qwen3-VL-Embedding: texts and frames in one space, by a language model that also sees
(Li et al., 2601.04720).

A text or a frame is what a user says after an instruction, and the vector is the last hidden state
of the last token, whose first numbers, from 64 on, are vectors as well. The network is that of
transformers. The form of a talk is written here and not taken from the folder's template, which is
a program.
"""

import math
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import BaseModel, ConfigDict, PositiveInt
from torch import Tensor
from transformers import Qwen2VLImageProcessorPil, Qwen3VLConfig, Qwen3VLModel

from reeltune.errors import CheckpointError
from reeltune.models._device import device_named, precision_named
from reeltune.models._embedder import Embedder, read_folder, require_tokens, widths_below
from reeltune.models._preprocessor import RESAMPLE, Preprocessor, unusual
from reeltune.models._tokenizer import marked_tokenizer
from reeltune.models.clip import Tower
from reeltune.models.opening.towers import quiet, read_towers
from reeltune.types import Pixels

FAMILY = "qwen3_vl"
WEIGHTS_FROM = "a local folder or a hub id"  # what `doctor` says of it
OF_TEXTS = "Retrieve images or text relevant to the user's query."  # instructions of the authors
OF_FRAMES = "Represent the user's input."
BEGIN = "<|im_start|>system\n{}<|im_end|>\n<|im_start|>user\n"
END = "<|im_end|>\n<|im_start|>assistant\n"
WIDTHS = (3072, 2048, 1536, 1024, 768, 512, 256, 128, 64)  # to which vectors may be cut
CONTEXT = 8192  # tokens, as the authors use it
SIDE = 512  # pixels at most: the network takes any size, and 256 tokens see this one
MARKS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|image_pad|>",
    "<|vision_end|>",
    "<|video_pad|>",
)


class Config(BaseModel):
    """Sizes of the network; the defaults are those of Qwen/Qwen3-VL-Embedding-2B."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vision: Tower = Tower(width=1024, layers=24, heads=16, mlp=4096)
    text: Tower = Tower(width=2048, layers=28, heads=16, mlp=6144)
    head: PositiveInt = 128  # width of a head of text
    shared: PositiveInt = 2  # heads that look for one that is looked up
    deep: tuple[PositiveInt, ...] = (5, 11, 17)  # vision layers that are added to the first of text
    patch: PositiveInt = 16  # pixels
    places: PositiveInt = 2304  # patches that have a learned place
    context: PositiveInt = 262144  # L at most, tokens
    vocabulary: PositiveInt = 151936

    @classmethod
    def tiny(cls) -> "Config":
        """About 100 thousand parameters, whose vectors can be cut to 64 numbers."""
        text, vision = Tower(width=96, layers=2, heads=2), Tower(width=16, layers=3, heads=2)
        sizes = {"head": 16, "patch": 4, "places": 16, "context": 192, "vocabulary": 263}
        return cls(vision=vision, text=text, deep=(1,), **sizes)

    def settings(self) -> Qwen3VLConfig:
        """This architecture as transformers describes it."""
        turns = self.head // 2  # angles of a head, which time, height and width share
        sides = turns * 5 // 16
        text = {
            **self.text.settings(),
            "num_key_value_heads": self.text.heads // self.shared,
            "head_dim": self.head,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.context,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000,
                "mrope_section": [turns - 2 * sides, sides, sides],
                "mrope_interleaved": True,
            },
        }
        vision = {
            "hidden_size": self.vision.width,
            "depth": self.vision.layers,
            "num_heads": self.vision.heads,
            "intermediate_size": self.vision.mlp or 4 * self.vision.width,
            "out_hidden_size": self.text.width,
            "deepstack_visual_indexes": list(self.deep),
            "patch_size": self.patch,
            "num_position_embeddings": self.places,
        }
        names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
        names |= {"vision_start_token_id": MARKS[3], "vision_end_token_id": MARKS[5]}
        ids = {name: MARKS.index(mark) for name, mark in names.items()}
        with quiet():
            return Qwen3VLConfig(text_config=text, vision_config=vision, **ids)

    def build(self) -> "Qwen3VLEmbedding":
        """The model with random weights; it reads text byte by byte."""
        stated = Qwen2VLImageProcessorPil(
            patch_size=self.patch,
            size={"shortest_edge": 4 * self.patch**2, "longest_edge": (16 * self.patch) ** 2},
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        )
        towers = Qwen3VLModel(self.settings())
        tokenizer = marked_tokenizer(MARKS, "$A", MARKS[0], MARKS[2])
        return Qwen3VLEmbedding(towers, tokenizer, stated).eval()


class Qwen3VLEmbedding(Embedder):
    """A `FrameEncoder` that is a `Matryoshka`."""

    def __init__(
        self,
        towers: Qwen3VLModel,
        tokenizer: Any,
        stated: Qwen2VLImageProcessorPil,
        name: str = "qwen3-vl-embedding",
    ):
        self.stated = stated
        tokenizer.padding_side = "right"  # the last token is where the vector is
        settings, text = towers.config, towers.config.text_config
        self.image: int = settings.image_token_id
        self.marks = (settings.vision_start_token_id, settings.vision_end_token_id)
        super().__init__(
            towers,
            tokenizer,
            _preprocessor(stated),
            name,
            widths=widths_below(text.hidden_size, WIDTHS),
            context=min(CONTEXT, text.max_position_embeddings),
        )

    def facts(self) -> dict[str, object]:
        """What shapes a vector beside the weights, for the fingerprint."""
        return {**super().facts(), "instructions": [OF_TEXTS, OF_FRAMES]}

    def _around(self, instruction: str) -> tuple[list[int], list[int]]:
        """Token ids before and behind what a user says."""
        begin = self.tokenizer(BEGIN.format(instruction), add_special_tokens=False)["input_ids"]
        whole = self.tokenizer(BEGIN.format(instruction) + END)["input_ids"]
        return list(begin), list(whole[len(begin) :])

    def sequence(self, text: str) -> list[int]:
        """Token ids of a talk in which the user says the text."""
        begin, end = self._around(OF_TEXTS)
        return [*begin, *self.words(text), *end]

    @property
    def closing(self) -> int:
        """Tokens behind what the user says."""
        return len(self._around(OF_TEXTS)[1])

    def picture_ids(self) -> list[int]:
        """Token ids of a talk in which the user shows a frame."""
        begin, end = self._around(OF_FRAMES)
        along = self.pixels.size // (self.stated.patch_size * self.stated.merge_size)
        return [*begin, self.marks[0], *[self.image] * along**2, self.marks[1], *end]

    def pictures(self, frames: UInt8[Tensor, "B 3 S S"]) -> dict[str, Tensor]:
        """Patches in squares of those that become one token, their grid, and which tokens they
        are."""
        size, merge = self.stated.patch_size, self.stated.merge_size
        along = self.pixels.size // size
        tiles = self.normalize(frames).unflatten(3, (along // merge, merge, size))
        tiles = tiles.unflatten(2, (along // merge, merge, size))  # (B, 3, gh, mh, ph, gw, mw, pw)
        tiles = tiles.permute(0, 2, 5, 3, 6, 1, 4, 7)  # (B, gh, gw, mh, mw, 3, ph, pw)
        times = self.stated.temporal_patch_size  # a picture stands still
        rows = tiles[..., None, :, :].expand(*tiles.shape[:6], times, size, size)
        ids = self.picture.expand(len(frames), -1)
        grid = torch.tensor([[1, along, along]], device=ids.device)
        return {
            "pixel_values": rows.reshape(len(frames) * along**2, -1),
            "image_grid_thw": grid.expand(len(frames), -1),
            "mm_token_type_ids": (ids == self.image).int(),
        }

    def pooled(
        self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"], **pictures: Tensor
    ) -> Float[Tensor, "B W"]:
        """Last hidden states of the last tokens that are there."""
        read = self.towers(input_ids=ids, attention_mask=mask.long(), use_cache=False, **pictures)
        last = mask.sum(dim=1) - 1
        hidden: Tensor = read.last_hidden_state
        return hidden[torch.arange(len(ids), device=ids.device), last]

    def save_pretrained(self, folder: Path | str) -> None:
        """Write a folder that both Reeltune and transformers can open."""
        self.stated.save_pretrained(folder)
        self.write_networks(Path(folder), "qwen3-vl-embedding")


def _preprocessor(stated: Any) -> Preprocessor:
    """A square of whole tokens of at most `SIDE` pixels a side, or as near as the model's own
    bounds of pixels allow."""
    step = stated.patch_size * stated.merge_size
    least, most = (
        math.isqrt(max(stated.size.shortest_edge - 1, 0)) // step + 1,
        math.isqrt(stated.size.longest_edge) // step,
    )
    pixels = Pixels(
        size=min(max(SIDE // step, least), most) * step,
        fit="squash",
        resample=RESAMPLE[stated.resample],
    )
    return Preprocessor(pixels=pixels, mean=tuple(stated.image_mean), std=tuple(stated.image_std))


def _require_fit(folder: Path, settings: Any, stated: Any, tokenizer: Any) -> None:
    vision = settings.vision_config
    wanted = (vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size)
    got = (stated.patch_size, stated.merge_size, stated.temporal_patch_size)
    if got != wanted:
        field = "patch_size, merge_size and temporal_patch_size"
        raise unusual(folder, field, got, f"{wanted}, which config.json has")
    if _preprocessor(stated).pixels.size < 1:
        raise unusual(folder, "size", stated.size, "a longest_edge that holds a square token")
    marks = ("image_token_id", "vision_start_token_id", "vision_end_token_id")
    ids = {name: getattr(settings, name) for name in marks}
    require_tokens(folder, tokenizer, settings.text_config.vocab_size, ids)
    begin = BEGIN.format(OF_FRAMES)
    bare = tokenizer(begin, add_special_tokens=False)["input_ids"]
    if tokenizer(begin)["input_ids"][: len(bare)] != bare or not {*MARKS[1:3]} <= {
        *tokenizer.get_vocab()
    }:
        raise CheckpointError(
            f"{folder}: the tokenizer has no {MARKS[1]} and {MARKS[2]}, between which what is said "
            "stands, or begins a text with a mark of its own; take it from the same model"
        )


def load(
    folder: Path | str | None, device: str | None = None, dtype: str | None = None
) -> Qwen3VLEmbedding:
    """The model in a Hugging Face folder, whole or not at all.

    Errors: `CheckpointError` names the file, field or keys that do not fit.
    """
    place, precision = device_named(device), precision_named(dtype)
    found = read_folder(
        folder,
        FAMILY,
        "qwen3-vl-embedding has no weights of its own; give a folder that holds a "
        "Qwen3-VL-Embedding, or qwen3-vl, which is the small one of the hub",
    )
    _require_fit(found.path, found.settings, found.stated, found.tokenizer)
    towers: Any = read_towers(found.path, found.settings)
    made = Qwen3VLEmbedding(towers, found.tokenizer, found.stated, str(found.path))
    return made.move(place, precision).eval()
