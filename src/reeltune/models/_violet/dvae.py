"""The encoder of the public dVAE of DALL-E (Ramesh et al., 2102.12092), whose 8,192 tokens the
release of Violet learns to guess.

Its file `encoder.pkl` is a pickled module. It is read as weights only: classes that it names are
stood for by empty ones of ours, which hold what it stores, and nothing in it is run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.errors import CheckpointError
from reeltune.models._pickled import read_pickled
from reeltune.models._violet.codes import shrunk

CODES = 8192
GROUPS, BLOCKS = 4, 2  # blocks of a group; all groups but the last end by halving the sides
SQUEEZE = 0.1  # colours from 0 to 1 are brought from there to as far below 1


class Conv(nn.Module):
    """A convolution that keeps the size of a picture."""

    def __init__(self, read: int, made: int, side: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(made, read, side, side))
        self.b = nn.Parameter(torch.empty(made))

    def forward(self, pictures: Float[Tensor, "B C R R"]) -> Float[Tensor, "B E R R"]:
        return F.conv2d(pictures, self.w, self.b, padding=self.w.shape[-1] // 2)


class Residual(nn.Module):
    """Four convolutions, added to the block's input."""

    def __init__(self, read: int, made: int) -> None:
        super().__init__()
        narrow = made // 4
        self.id_path = Conv(read, made, 1) if read != made else nn.Identity()
        self.res_path = nn.ModuleDict(
            {
                "conv_1": Conv(read, narrow, 3),
                "conv_2": Conv(narrow, narrow, 3),
                "conv_3": Conv(narrow, narrow, 3),
                "conv_4": Conv(narrow, made, 1),
            }
        )

    def forward(self, pictures: Float[Tensor, "B C R R"]) -> Float[Tensor, "B E R R"]:
        found = pictures
        for convolution in self.res_path.values():
            found = convolution(F.relu(found))
        return self.id_path(pictures) + found / (GROUPS * BLOCKS) ** 2


class Encoder(nn.Module):
    """Pictures to logits of tokens, one for 8 by 8 pixels; names are those of the file."""

    def __init__(self, width: int = 256, codes: int = CODES) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({"input": Conv(3, width, 7)})
        read = width
        for group in range(GROUPS):
            made = width * 2**group
            blocks = {f"block_{n + 1}": Residual(made if n else read, made) for n in range(BLOCKS)}
            self.blocks[f"group_{group + 1}"] = nn.ModuleDict(blocks)
            read = made
        self.blocks["output"] = nn.ModuleDict({"conv": Conv(read, codes, 1)})

    def forward(self, pictures: Float[Tensor, "B 3 R R"]) -> Float[Tensor, "B K r r"]:
        found = self.blocks["input"](pictures)
        for group in range(1, GROUPS + 1):
            for block in _inside(self.blocks[f"group_{group}"]):
                found = block(found)
            found = F.max_pool2d(found, 2) if group < GROUPS else found
        (last,) = _inside(self.blocks["output"])
        return last(F.relu(found))

    @torch.no_grad()
    def tokens(self, frames: UInt8[Tensor, "B 3 S S"], side: int) -> Int[Tensor, "B P"]:
        """Tokens of each place of a frame, row by row."""
        pictures = (1 - 2 * SQUEEZE) * shrunk(frames, side) + SQUEEZE
        return self(pictures).argmax(dim=1).flatten(1)


def _inside(module: nn.Module) -> list[nn.Module]:
    return list(module.children())


def read_encoder(path: Path) -> Encoder:
    """The encoder in a file such as `encoder.pkl`, or in one of its weights by name.

    Errors: `CheckpointError` for a file that is neither.
    """
    remedy = "give the file encoder.pkl of DALL-E's public dVAE"
    given = read_pickled(path, "the encoder of a dVAE", remedy, _allowed())
    weights = _weights(given) if isinstance(given, Stored) else given
    first = weights.get("blocks.input.w") if isinstance(weights, Mapping) else None
    last = weights.get("blocks.output.conv.w") if isinstance(weights, Mapping) else None
    if not isinstance(first, Tensor) or not isinstance(last, Tensor):
        raise CheckpointError(f"{path} holds no weights of the encoder of a dVAE; {remedy}")
    encoder = Encoder(len(first), len(last))
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path} does not fit the encoder ({reason}); {remedy}") from error
    return encoder.eval().requires_grad_(False)


class Stored:
    """A module as it was pickled: its weights and the modules inside, by name."""

    _parameters: dict[str, Tensor]
    _modules: dict[str, "Stored"]


def _allowed() -> list[Any]:
    """Classes that the file names, each with the one that stands for it."""
    named = (
        *("dall_e.encoder.Encoder", "dall_e.encoder.EncoderBlock", "dall_e.utils.Conv2d"),
        *(f"torch.nn.modules.{where}" for where in TORCH),
    )
    return [(type("Stored", (Stored,), {}), name) for name in named]


TORCH = ("container.Sequential", "activation.ReLU", "pooling.MaxPool2d", "linear.Identity")


def _weights(stored: Stored, under: str = "") -> dict[str, Tensor]:
    found = {f"{under}{name}": weight for name, weight in stored._parameters.items()}
    for name, inside in stored._modules.items():
        found |= _weights(inside, f"{under}{name}.")
    return found
