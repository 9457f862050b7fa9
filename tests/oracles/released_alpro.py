"""Names of the weights in ALPRO's released files, by the code that writes them, and files of these
names with random weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

Layout = Literal["retrieval", "questions", "pretraining", "prompter"]
LAYERS = 12
Shapes = dict[str, tuple[int, ...]]


def linear(name: str, out: int, given: int) -> Shapes:
    return {f"{name}.weight": (out, given), f"{name}.bias": (out,)}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def video_encoder(width: int, patch: int, places: int, frames: int) -> Iterator[Shapes]:
    start = "visual_encoder.model"
    yield {
        f"{start}.cls_token": (1, 1, width),
        f"{start}.pos_embed": (1, places + 1, width),
        f"{start}.time_embed": (1, frames, width),
        f"{start}.patch_embed.proj.weight": (width, 3, patch, patch),
        f"{start}.patch_embed.proj.bias": (width,),
    }
    for layer in range(LAYERS):
        block = f"{start}.blocks.{layer}"
        for attention in ("attn", "temporal_attn"):
            yield linear(f"{block}.{attention}.qkv", 3 * width, width)
            yield linear(f"{block}.{attention}.proj", width, width)
        yield linear(f"{block}.temporal_fc", width, width)
        yield linear(f"{block}.mlp.fc1", 4 * width, width)
        yield linear(f"{block}.mlp.fc2", width, 4 * width)
        for one in ("norm1", "temporal_norm1", "norm2"):
            yield norm(f"{block}.{one}", width)
    yield norm(f"{start}.norm", width)
    yield linear(f"{start}.head", 400, width)  # classes of Kinetics, which nothing reads


def bert(start: str, width: int, words: int) -> Iterator[Shapes]:
    yield {
        f"{start}.embeddings.position_ids": (1, 512),
        f"{start}.embeddings.word_embeddings.weight": (words, width),
        f"{start}.embeddings.position_embeddings.weight": (512, width),
        f"{start}.embeddings.token_type_embeddings.weight": (2, width),
    }
    yield norm(f"{start}.embeddings.LayerNorm", width)
    for number in range(LAYERS):
        layer = f"{start}.encoder.layer.{number}"
        for part in ("query", "key", "value"):
            yield linear(f"{layer}.attention.self.{part}", width, width)
        yield linear(f"{layer}.attention.output.dense", width, width)
        yield norm(f"{layer}.attention.output.LayerNorm", width)
        yield linear(f"{layer}.intermediate.dense", 4 * width, width)
        yield linear(f"{layer}.output.dense", width, 4 * width)
        yield norm(f"{layer}.output.LayerNorm", width)


def word_head(width: int, words: int) -> Iterator[Shapes]:
    start = "text_encoder.cls.predictions"
    yield {f"{start}.bias": (words,)}
    yield linear(f"{start}.transform.dense", width, width)
    yield norm(f"{start}.transform.LayerNorm", width)
    yield linear(f"{start}.decoder", words, width)


def shapes_of(
    layout: Layout, width: int, words: int, dim: int = 256, frames: int = 8, places: int = 196
) -> Shapes:
    """Names and shapes of one kind of file."""
    asked = layout == "questions"
    parts = [
        {"temp": ()},
        *video_encoder(width, 16, places, frames),
        *bert("text_encoder" if asked else "text_encoder.bert", width, words),
        *([] if asked else word_head(width, words)),
        linear("vision_proj", dim, width),
        linear("text_proj", dim, width),
        linear("itm_head", 2, width),
    ]
    if asked:
        parts += [linear("classifier.0", 2 * width, width), linear("classifier.2", 3, 2 * width)]
    if layout == "pretraining":
        parts += [linear("mpm_head.0", 2 * width, width), linear("mpm_head.2", 4, 2 * width)]
        inside = shapes_of("prompter", width, words, dim, frames, places)
        parts.append({f"prompter.{name}": shape for name, shape in inside.items()})
    if layout == "prompter":
        parts.append({f"{kind}_prompt_feat": (4, dim) for kind in ("video", "image")})
    return {name: shape for part in parts for name, shape in part.items()}


def random_weights(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Random weights of these shapes; those that are one in the released model are equal."""
    source = torch.Generator().manual_seed(seed)
    found = {name: 0.1 * torch.randn(shape, generator=source) for name, shape in shapes.items()}
    for start in ("", "prompter."):
        head, text = f"{start}text_encoder.cls.predictions", f"{start}text_encoder.bert"
        if f"{head}.bias" in found:
            found[f"{head}.decoder.bias"] = found[f"{head}.bias"]
            found[f"{head}.decoder.weight"] = found[f"{text}.embeddings.word_embeddings.weight"]
        if f"{start}temp" in found:
            found[f"{start}temp"] = torch.tensor(0.05)
    return found


def write(path: Path, weights: dict[str, Tensor]) -> Path:
    torch.save(weights, path)
    return path
