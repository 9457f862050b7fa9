"""Small prompted CLIPs whose weights are large enough for every term to show."""

import torch
from torch import Tensor, nn

from reeltune.models import clip
from reeltune.models.clip import Tower
from reeltune.models.vop import Config, Context, Generic, Joint, Position, Prompt, Text, Vop

TOWER = Tower(width=16, layers=4, heads=2)
SMALL = clip.Config(  # 16 patches, and towers of different widths
    vision=TOWER,
    text=Tower(width=12, layers=3, heads=3),
    dim=10,
    image=16,
    patch=4,
    context=24,
    vocabulary=514,
)
FRAMES = 4  # positions in the tables
VARIANTS: dict[str, tuple[Prompt, ...]] = {
    "VoP": (Text(length=3), Generic(length=3)),
    "P": (Text(length=3), Generic(length=1), Position(length=2)),
    "C": (Text(length=3), Generic(length=1), Context(length=2)),
    "F": (Text(length=3), Generic(length=2), Joint(length=3, after=2)),
    "F+P": (Text(length=3), Generic(length=1), Position(length=1), Joint(length=2, after=2)),
    "F+C": (Text(length=3), Generic(length=1), Context(length=1), Joint(length=2, after=3)),
    "P+C": (Position(length=1), Context(length=2)),
    "all joint": (Text(length=1), Joint(length=2, after=0)),
}
TEXTS = ["rain", "two dogs run", "a man plays the guitar on a stage and people sing along", ""]


@torch.no_grad()
def shake(module: nn.Module, seed: int = 0) -> None:
    """Give every weight a size at which it matters; random CLIPs start almost linear."""
    source = torch.Generator().manual_seed(seed)
    for name, weight in module.named_parameters():
        if name.endswith("logit_scale"):
            continue
        scale = 0.5 if weight.dim() < 2 else weight[0].numel() ** -0.5
        weight.copy_(scale * torch.randn(weight.shape, generator=source))
        if "norm" in name and name.endswith("weight"):
            weight.add_(1)


def prompted(prompts: tuple[Prompt, ...], base: clip.Clip | None = None) -> Vop:
    """The prompts on `base`, or on a shaken small CLIP."""
    config = Config(base=None, architecture=SMALL, prompts=prompts, frames=FRAMES)
    if base is None:
        base = SMALL.build()
        shake(base)
    model = Vop(config, base).eval()
    shake(model.text, 1)
    shake(model.video, 2)
    return model


def ragged(*lengths: int, size: int = SMALL.image, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Videos of noise with these lengths, padded with noise, and their mask."""
    source = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths), 3, size, size)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8, generator=source)
    return frames, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
