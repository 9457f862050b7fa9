"""MELTR in Lightning: `pip install lightning`, then `python examples/meltr_in_lightning.py`.

A network tells which of three groups a point belongs to. Two further losses, on its hidden units,
may or may not help. Lightning goes backward and steps as it always does: `training_step` returns
the melted loss, and MELTR learns when a batch has ended. Its state is in Lightning's checkpoints.
"""

from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from reeltune.meltr import Melt

WIDTH, GROUPS = 6, 3


def compute_losses(model: Any, batch: list[Tensor]) -> dict[str, Tensor]:
    points, group, noise = batch
    hidden = model.body(points)
    return {
        "group": F.cross_entropy(model.head(hidden), group),
        "small": hidden.square().mean(),
        "noise": F.mse_loss(hidden[:, 0], noise),
    }


class Grouping(lightning.LightningModule):  # type: ignore[misc]
    """Melts its losses; everything else is as in any LightningModule."""

    def __init__(self, held_out: DataLoader[Any]) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(WIDTH, 16), nn.Tanh()), nn.Linear(16, GROUPS)
        self.melt = Melt(self, compute_losses, primary="group", judge_on=held_out)

    def training_step(self, batch: list[Tensor], number: int) -> Tensor:
        return self.melt(compute_losses(self, batch))

    def on_train_batch_end(self, outputs: Any, batch: list[Tensor], number: int) -> None:
        self.melt.update(batch, share=1 / self.trainer.accumulate_grad_batches)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["melt"] = self.melt.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.melt.load_state_dict(checkpoint["melt"])


def batches(count: int, seed: int) -> DataLoader[Any]:
    source = torch.Generator().manual_seed(seed)
    group = torch.randint(GROUPS, (count,), generator=source)
    points = F.one_hot(group, WIDTH) + torch.randn(count, WIDTH, generator=source)
    return DataLoader(TensorDataset(points, group, torch.randn(count, generator=source)), 32)


def main() -> None:
    torch.manual_seed(0)
    model = Grouping(held_out=batches(256, seed=2))
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", accumulate_grad_batches=2, enable_checkpointing=False,
        **quiet,
    )  # fmt: skip
    trainer.fit(model, batches(2048, seed=1))
    for name in ("group", "small", "noise"):
        facts = model.melt.facts
        print(f"{name}: loss {facts[name]:.2f}, weight {facts[f'slope {name}']:.2f}")


if __name__ == "__main__":
    main()
