"""MELTR for pictures: `python examples/meltr_resnet32.py`.

A small residual network, as `cifar-100/resnet32-meltr` has it in full, names the thing in a drawn
picture: a square or a disc in one of three colours. Beside the cross entropy that counts, `action`,
it learns from mixup and from rotation. The three are summed, and then melted by MELTR.
"""

from collections.abc import Iterator

import torch

from reeltune.meltr import Melt
from reeltune.models.resnet32 import Config, Resnet32
from reeltune.training.step import Sum
from reeltune.types import Batch

THINGS = tuple(
    f"{colour} {shape}" for colour in ("red", "green", "blue") for shape in ("box", "disc")
)
SIDE, RADIUS, NOISE, SIZE, STEPS = 16, 5, 30, 32, 100
CONFIG = Config(answers=THINGS, features=3 * SIDE**2, width=8, blocks=1)


def pictures(count: int, source: torch.Generator) -> Batch:
    """Pictures as videos of one frame (B, 1, 3, S, S), each of a thing at a place of its own."""
    label = torch.randint(len(THINGS), (count,), generator=source)
    centre = torch.randint(RADIUS, SIDE - RADIUS, (count, 2, 1, 1), generator=source)
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    away = torch.stack(
        [(rows - centre[:, 0]).abs(), (columns - centre[:, 1]).abs()]
    )  # (2, B, S, S)
    box, disc = away.amax(dim=0) < RADIUS, away.square().sum(dim=0) < RADIUS**2
    inside = torch.where((label % 2 == 0)[:, None, None], box, disc)
    colour = torch.eye(3)[label // 2][:, :, None, None]  # (B, 3, 1, 1)
    noise = NOISE * torch.randn(count, 3, SIDE, SIDE, generator=source)
    levels = (100 + 80 * colour * inside[:, None] + noise).clamp(0, 255).byte()
    mask, tokens = torch.ones(count, 1).bool(), CONFIG.build().tokenize([""] * count)
    return Batch(levels[:, None], mask, tokens, torch.arange(count), {"label": label})


def batches(count: int, seed: int) -> Iterator[Batch]:
    source = torch.Generator().manual_seed(seed)
    for _ in range(count):
        yield pictures(SIZE, source)


def learned(melts: bool) -> Resnet32:
    torch.manual_seed(0)
    model = CONFIG.build().train()
    held_out = list(batches(8, seed=1))
    melt = Melt(model, Resnet32.losses, primary="action", judge_on=held_out, every=3)
    step = melt.step if melts else Sum(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True)
    for batch in batches(STEPS, seed=0):
        step(batch)
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def main() -> None:
    test = pictures(500, torch.Generator().manual_seed(2))
    for melts in (False, True):
        model = learned(melts)
        with torch.inference_mode():
            scores = model.classify(model.read_video(test.frames, test.mask))
        right = (scores.argmax(dim=1) == test.targets["label"]).float().mean()
        print(f"{'melted' if melts else 'summed'}: top-1 {100 * right:.1f}")


if __name__ == "__main__":
    main()
