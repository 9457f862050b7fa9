"""MELTR as the step of a training loop of your own: `python examples/meltr_in_your_own_loop.py`.

Two linear maps learn to bring vectors of clips and captions together. Of their losses the first is
what counts, the second may help, and the third is of noise. The loop and the optimizer are your
own; MELTR says by how much each loss is trained, and learns that from clips held out from training.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.meltr.outer import HeldOut
from reeltune.meltr.schemes import aid_fp_lite
from reeltune.meltr.step import Meltr, Settings
from reeltune.meltr.transformer import Config
from reeltune.objectives.info_nce import info_nce
from reeltune.objectives.triplet import triplet
from reeltune.types import Batch, Tokens

WIDTH, NOISE, SIZE = 16, 1.0, 32  # of a vector; of what is not shared; clips of a batch


class Maps(nn.Module):
    """What `Meltr` asks of a model: the name of its primary loss, and all losses of a batch."""

    primary = "contrastive"

    def __init__(self) -> None:
        super().__init__()
        self.video, self.text = nn.Linear(WIDTH, 8), nn.Linear(WIDTH, 8)
        self.guess = nn.Linear(8, 1)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        video = F.normalize(self.video(batch.frames.mean(dim=1)), dim=1)
        scores = F.normalize(self.text(batch.targets["text"]), dim=1) @ video.T
        return {
            "contrastive": info_nce(10 * scores),
            "triplet": triplet(scores, reduction="mean"),
            "noise": F.mse_loss(self.guess(video)[:, 0], batch.targets["noise"]),
        }


def batches(seed: int, count: int) -> Iterator[Batch]:
    """Clips of three frames, and captions that say the same in another basis and with noise."""
    source = torch.Generator().manual_seed(seed)
    turn = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    for _ in range(count):
        meant = torch.randn(SIZE, WIDTH, generator=source)
        frames = meant[:, None] + NOISE * torch.randn(SIZE, 3, WIDTH, generator=source)
        text = meant @ turn + NOISE * torch.randn(SIZE, WIDTH, generator=source)
        targets = {"text": text, "noise": torch.randn(SIZE, generator=source)}
        words = Tokens(torch.ones(SIZE, 1).long(), torch.ones(SIZE, 1).bool())  # none are read
        yield Batch(frames, torch.ones(SIZE, 3).bool(), words, torch.arange(SIZE), targets)


def main() -> None:
    torch.manual_seed(0)
    model, names = Maps(), ("contrastive", "triplet", "noise")
    config = Config(tasks=names, width=32, scale_width=16, feedforward=32, heads=4, residual=True)
    combiner = config.build()  # residual: it begins near the plain sum
    outer = HeldOut(lambda epoch, start: batches(1000 + epoch, 8))
    settings = Settings(every=1, lr=3e-3, direct_term=True)
    step = Meltr(model, combiner, aid_fp_lite.Config().build(), outer, settings)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    log: list[dict[str, float]] = []
    for batch in batches(1, 120):
        log.append(step(batch))  # adds gradients to the weights, and moves MELTR before it
        optimizer.step()
        optimizer.zero_grad()
    for start in range(0, len(log), 40):
        some = log[start : start + 40]
        mean = {name: sum(facts[name] for facts in some) / len(some) for name in some[0]}
        weights = ", ".join(f"{name} {mean[f'slope {name}']:.2f}" for name in names)
        print(f"steps from {start}: contrastive loss {mean['contrastive']:.2f}; weights {weights}")


if __name__ == "__main__":
    main()
