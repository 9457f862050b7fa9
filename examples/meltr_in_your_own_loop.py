"""MELTR in a training loop of your own: `python examples/meltr_in_your_own_loop.py`.

Two linear maps learn to bring vectors of clips and captions together. Of their losses the first is
what counts, the second may help, and the third is of noise. Model, losses, batches, loop and
optimizer are your own; MELTR says by how much each loss is trained, and learns that from batches
that are held out from training.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.meltr import Melt

WIDTH, NOISE, SIZE = 16, 1.0, 32  # of a vector; of what is not shared; clips of a batch
Batch = dict[str, Tensor]


class Maps(nn.Module):
    """Any module: MELTR asks nothing of it."""

    def __init__(self) -> None:
        super().__init__()
        self.video, self.text = nn.Linear(WIDTH, 8), nn.Linear(WIDTH, 8)
        self.guess = nn.Linear(8, 1)


def compute_losses(model: Maps, batch: Batch) -> dict[str, Tensor]:
    video = F.normalize(model.video(batch["video"]), dim=1)
    scores = F.normalize(model.text(batch["text"]), dim=1) @ video.T
    right = scores.diag()[:, None]
    return {
        "contrastive": F.cross_entropy(10 * scores, torch.arange(len(scores))),
        "margin": (0.2 + scores - right).relu().mean(),
        "noise": F.mse_loss(model.guess(video)[:, 0], batch["noise"]),
    }


def batches(seed: int, count: int) -> Iterator[Batch]:
    """Vectors of clips, and of captions that say the same in another basis and with noise."""
    source = torch.Generator().manual_seed(seed)
    turn = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    for _ in range(count):
        meant = torch.randn(SIZE, WIDTH, generator=source)
        yield {
            "video": meant + NOISE * torch.randn(SIZE, WIDTH, generator=source),
            "text": meant @ turn + NOISE * torch.randn(SIZE, WIDTH, generator=source),
            "noise": torch.randn(SIZE, generator=source),
        }


def main() -> None:
    torch.manual_seed(0)
    model, held_out = Maps(), list(batches(1000, 8))
    melt = Melt(model, compute_losses, primary="contrastive", judge_on=held_out, every=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    log: list[dict[str, float]] = []
    for batch in batches(1, 120):
        log.append(melt.step(batch))  # adds gradients to the weights, and moves MELTR before it
        optimizer.step()
        optimizer.zero_grad()
    for start in range(0, len(log), 40):
        some = log[start : start + 40]
        mean = {name: sum(facts[name] for facts in some) / len(some) for name in some[0]}
        names = [name for name in mean if name.startswith("slope ")]
        weights = ", ".join(f"{name.removeprefix('slope ')} {mean[name]:.2f}" for name in names)
        print(f"steps from {start}: contrastive loss {mean['contrastive']:.2f}; weights {weights}")


if __name__ == "__main__":
    main()
