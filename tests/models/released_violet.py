"""The true list of keys of `ckpt_violet_pretrain.pt`, of sizes that may be small.

Names and what they hold are told by hand, as the files of the release have them, and not taken
from the network under test.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Size:
    """Sizes of a release; the defaults are those of the published file."""

    first: int = 96  # width of the Swin's first stage
    depths: tuple[int, ...] = (2, 2, 18, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: Shape = (8, 7, 7)
    places: int = 197
    frames: int = 6
    words: int = 30522
    positions: int = 512
    layers: int = 12
    codes: int = 8192

    @property
    def width(self) -> int:
        return self.first * 2 ** (len(self.depths) - 1)


def affine(name: str, made: int, read: int) -> dict[str, Shape]:
    return {f"{name}.weight": (made, read), f"{name}.bias": (made,)}


def norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def swin_keys(size: Size) -> dict[str, Shape]:
    swin, patch = "enc_img.swin", "enc_img.swin.patch_embed"
    keys: dict[str, Shape] = {f"{patch}.proj.weight": (size.first, 3, 2, 4, 4)}
    keys |= {f"{patch}.proj.bias": (size.first,)} | norm(f"{patch}.norm", size.first)
    time, height, across = size.window
    rows = (2 * time - 1) * (2 * height - 1) * (2 * across - 1)
    for stage, (depth, heads) in enumerate(zip(size.depths, size.heads, strict=True)):
        width = size.first * 2**stage
        for number in range(depth):
            block = f"{swin}.layers.{stage}.blocks.{number}"
            keys |= norm(f"{block}.norm1", width) | norm(f"{block}.norm2", width)
            keys[f"{block}.attn.relative_position_bias_table"] = (rows, heads)
            keys[f"{block}.attn.relative_position_index"] = (time * height * across,) * 2
            keys |= affine(f"{block}.attn.qkv", 3 * width, width)
            keys |= affine(f"{block}.attn.proj", width, width)
            keys |= affine(f"{block}.mlp.fc1", 4 * width, width)
            keys |= affine(f"{block}.mlp.fc2", width, 4 * width)
        if stage + 1 < len(size.depths):
            down = f"{swin}.layers.{stage}.downsample"
            keys |= {f"{down}.reduction.weight": (2 * width, 4 * width)}
            keys |= norm(f"{down}.norm", 4 * width)
    return keys | norm(f"{swin}.norm", size.width)


def layer_keys(size: Size) -> dict[str, Shape]:
    keys: dict[str, Shape] = {}
    for number in range(size.layers):
        layer, width = f"trsfr.layer.{number}", size.width
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            keys |= affine(f"{layer}.attention.{part}", width, width)
        keys |= norm(f"{layer}.attention.output.LayerNorm", width)
        keys |= affine(f"{layer}.intermediate.dense", 4 * width, width)
        keys |= affine(f"{layer}.output.dense", width, 4 * width)
        keys |= norm(f"{layer}.output.LayerNorm", width)
    return keys


def released_keys(size: Size = Size()) -> dict[str, Shape]:
    """Every key with the shape of what it holds."""
    width, text, guess = size.width, "enc_txt.emb_txt", "fc_mtm.predictions"
    keys = swin_keys(size)
    keys |= {"enc_img.emb_cls": (1, 1, 1, width), "enc_img.emb_pos": (1, 1, size.places, width)}
    keys |= {"enc_img.emb_len": (1, size.frames, 1, width)} | norm("enc_img.norm", width)
    keys |= {f"{text}.position_ids": (1, size.positions)}
    keys |= {f"{text}.word_embeddings.weight": (size.words, width)}
    keys |= {f"{text}.position_embeddings.weight": (size.positions, width)}
    keys |= {f"{text}.token_type_embeddings.weight": (2, width)} | norm(f"{text}.LayerNorm", width)
    keys |= layer_keys(size)
    keys |= affine("fc.1", 2 * width, width) | affine("fc.3", 1, 2 * width)
    keys |= {f"{guess}.bias": (size.words,)} | affine(f"{guess}.transform.dense", width, width)
    keys |= norm(f"{guess}.transform.LayerNorm", width)
    keys |= affine(f"{guess}.decoder", size.words, width)  # its bias is the one above
    keys |= affine("fc_mvm.1", 2 * width, width) | affine("fc_mvm.3", size.codes, 2 * width)
    return keys


def released_file(folder: Path, size: Size, seed: int = 0) -> tuple[Path, dict[str, Tensor]]:
    """A file with those keys and random weights, as torch writes it."""
    source, state = torch.Generator().manual_seed(seed), {}
    for name, shape in released_keys(size).items():
        if name.endswith(("relative_position_index", "position_ids")):
            state[name] = torch.randint(0, 9, shape, generator=source)
        else:
            state[name] = torch.randn(shape, generator=source) * 0.05
    state["fc_mtm.predictions.decoder.bias"] = state["fc_mtm.predictions.bias"]
    path = folder / "ckpt_violet_pretrain.pt"
    torch.save(state, path)
    return path, state
