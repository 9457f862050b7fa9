"""EfficientNet-Lite2 (Google, 2020): frozen features of single frames."""

from threading import Lock
from typing import Any

import torch
from efficientnet_lite_pytorch import EfficientNet
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from reeltune.models._lite.weights import FRAME_WEIGHTS
from reeltune.models.opening.packaged import packaged
from reeltune.types import Pixels

PIXELS = Pixels(size=260, fit="squash", resample="bicubic")  # as the network was trained
CENTRE, SCALE = 127.0, 128.0  # of pixel values, likewise
CLASSES = 1000  # of ImageNet
TOP = 1280  # channels of the last map
LOADING = Lock()  # of the first of several threads, for weights are folded only once
EXACT = 2  # blocks, the first ones, that stay in float32: what they lose all later ones lack
AT_ONCE = 8  # frames; larger batches leave the processor's cache and are slower


class FrameNetwork(nn.Module):
    """Frames to features: mean and maximum of the last map, means of earlier ones, logits.

    Weights are read when the first frame comes, so that a search by words does not wait for them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.net = EfficientNet.from_name("efficientnet-lite2").eval().requires_grad_(False)
        self._stages = _last_blocks_of_stages(self.net)
        self.earlier = sum(self.net._blocks[i]._project_conv.out_channels for i in self._stages)
        self.width = 2 * TOP + self.earlier + CLASSES  # F
        self._ready = False

    def train(self, mode: bool = True) -> "FrameNetwork":
        """Stay in evaluation mode: the statistics of normalisation are always those of ImageNet."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B F"]:
        self.load()
        if len(frames) == 0:
            return torch.empty(0, self.width, device=self._device)
        return torch.cat([self.few(some) for some in frames.split(AT_ONCE)])

    def few(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B F"]:
        """Features of a few frames, once the weights are read."""
        values = (frames.to(self._device).float() - CENTRE) / SCALE
        maps = values.contiguous(memory_format=torch.channels_last)  # (B, 3, S, S)
        maps = self.net._swish(self.net._bn0(self.net._conv_stem(maps)))
        earlier = []
        for number, block in enumerate(self.net._blocks):
            maps = block(maps.to(block._project_conv.weight.dtype))
            if number in self._stages:
                earlier.append(maps.float().mean((2, 3)))
        maps = self.net._swish(self.net._bn1(self.net._conv_head(maps))).float()  # (B, 1280, 9, 9)
        mean = maps.mean((2, 3))
        return torch.cat([mean, maps.amax((2, 3)), *earlier, self.net._fc(mean)], dim=1)

    def load(self) -> None:
        """Read the weights, unless they are there."""
        with LOADING:
            if not self._ready:
                path = packaged(*FRAME_WEIGHTS)
                self.net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
                _fold_normalisation(self.net)
                _spare_copies(self.net)
                self.net.to(memory_format=torch.channels_last)
                self._ready = True

    def roundable(self) -> list[str]:
        """Dotted names of the layers that may be in bfloat16; their weights are read first."""
        self.load()
        blocks = range(EXACT, len(self.net._blocks))
        return [*(f"net._blocks.{number}" for number in blocks), "net._conv_head"]

    @property
    def _device(self) -> torch.device:
        return self.net._fc.weight.device


def _last_blocks_of_stages(net: Any) -> list[int]:
    """Numbers of the blocks after which width or resolution changes, without the first two."""
    blocks = net._blocks
    ends = [
        i
        for i, (block, after) in enumerate(zip(blocks, [*blocks[1:], None], strict=True))
        if after is None
        or after._depthwise_conv.stride[0] == 2
        or after._project_conv.out_channels != block._project_conv.out_channels
    ]
    return ends[2:]


def _fold_normalisation(net: Any) -> None:
    """Fold every batch normalisation into the convolution before it: the same function, faster."""
    pairs = [(net, "_conv_stem", "_bn0"), (net, "_conv_head", "_bn1")]
    for block in net._blocks:
        if hasattr(block, "_expand_conv"):
            pairs.append((block, "_expand_conv", "_bn0"))
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
    for module, conv, norm in pairs:
        setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
        setattr(module, norm, nn.Identity())


def _spare_copies(net: Any) -> None:
    """Let convolutions pad by themselves where both sides get the same, and activations overwrite
    what convolutions made: the same numbers, faster."""
    for module in net.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
        padding = getattr(module, "static_padding", None)
        if isinstance(padding, nn.ZeroPad2d):
            left, right, top, bottom = padding.padding
            if (left, top) == (right, bottom):
                module.padding, module.static_padding = (top, left), nn.Identity()
