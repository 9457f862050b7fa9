"""Which loss does the held-out primary loss want trained more strongly, and after how many steps?

    python benchmarks/bench_horizon.py --seed 10 --steps 80 140

UniVL is trained on Toybox by the sum of its eight losses. At some steps copies of it go on with
the same batches, each with some losses counted 8 times. Told are the held-out align loss of each
copy after 1, 4, 16 and 48 steps, and beside them what MELTR goes by there: of each loss the length
of its gradient, its cosine with that of the held-out align loss, and their product. Four batches of
validation are held out; test is not read.
"""

import argparse
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from _line import emit
from reeltune.batches.loader import Loader
from reeltune.recipes.read import read_recipe
from reeltune.runs.place import RunPlace
from reeltune.runs.setup import open_setup
from reeltune.training.optim import optimizer_of, trainable
from reeltune.training.settings import Settings
from reeltune.types import Batch

HORIZONS = (1, 4, 16, 48)  # steps
JUDGE, TIMES, HELD_OUT = "align", 8.0, 4
STRONGER = {
    "sum": [],
    "joint": ["joint"],
    "align": ["align"],
    "joint and m_joint": ["joint", "m_joint"],
    "cmlm": ["cmlm"],
    "decoder": ["decoder"],
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=10)
    parser.add_argument("--steps", type=int, nargs="+", default=[80, 140])
    parser.add_argument("--size", default="small", help="of Toybox")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    changes = {"options.size": chosen.size, "training.seed": chosen.seed}
    recipe = read_recipe("toybox/univl", changes)
    data = recipe.dataset_config(folder=None)
    with (
        TemporaryDirectory() as folder,
        open_setup(recipe, data, data.read("val"), RunPlace(out=Path(folder))) as setup,
    ):
        inputs, settings = setup.inputs, recipe.training
        loader = inputs.loader_of(data.read("train"), settings)
        held_out = inputs.loader_of(data.read("val"), settings)
        torch.manual_seed(chosen.seed)
        trained = Trained(inputs.model.train(), loader, settings)
        judge = list(islice(held_out.epoch(0), HELD_OUT))
        for step in chosen.steps:
            trained.go_on(step)
            emit(f"step {step}", seed=chosen.seed, **told(trained, judge))


class Trained:
    """A model in training, with the rate of its recipe: up for a tenth of the steps, then down."""

    def __init__(self, model: Any, loader: Loader, settings: Settings) -> None:
        self.model, self.loader, self.settings, self.step = model, loader, settings, 0
        self.optimizer = optimizer_of(model, settings)
        self.an_epoch = len(loader.order.epoch(0))

    def copied(self) -> "Trained":
        """A model that goes on from here by itself."""
        found = Trained(deepcopy(self.model), self.loader, self.settings)
        found.optimizer.load_state_dict(deepcopy(self.optimizer.state_dict()))
        found.step = self.step
        return found

    def go_on(self, until: int, stronger: Sequence[str] = ()) -> None:
        for batch in islice(self._batches(), until - self.step):
            self.step += 1
            for group in self.optimizer.param_groups:
                group["lr"] = self._rate()
            losses: dict[str, Tensor] = self.model.losses(batch)
            weighed = [TIMES * v if name in stronger else v for name, v in losses.items()]
            torch.stack(weighed).sum().backward()
            weights = trainable(self.model).values()
            torch.nn.utils.clip_grad_norm_(weights, self.settings.clip_norm)
            self.optimizer.step()
            self.optimizer.zero_grad()

    def _batches(self) -> Iterator[Batch]:
        epoch, start = divmod(self.step, self.an_epoch)
        while True:
            yield from self.loader.epoch(epoch, start)
            epoch, start = epoch + 1, 0

    def _rate(self) -> float:
        steps = self.settings.epochs * self.an_epoch
        rising = self.settings.warmup * steps
        return self.settings.lr * min(self.step / rising, (steps - self.step) / (steps - rising))


def told(trained: Trained, judge: Sequence[Batch]) -> dict[str, Any]:
    after: dict[str, list[float]] = {}
    start = trained.step
    seen = gradients(trained, judge)
    for name, stronger in STRONGER.items():
        copy, after[name] = trained.copied(), []
        torch.manual_seed(start)
        for horizon in HORIZONS:
            copy.go_on(start + horizon, stronger)
            after[name].append(round(judged(copy.model, judge), 4))
    return {"horizons": HORIZONS, "held_out_align": after, "gradients": seen}


def judged(model: Any, judge: Sequence[Batch]) -> float:
    """The mean loss, with the same masks each time."""
    model.eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        found = [model.losses(batch)[JUDGE].item() for batch in judge]
    model.train()
    return sum(found) / len(found)


def gradients(trained: Trained, judge: Sequence[Batch]) -> dict[str, dict[str, float]]:
    """What a meta step sees, of one batch."""
    model, weights = trained.model, list(trainable(trained.model).values())

    def gradient(loss: Tensor) -> Tensor:
        found = torch.autograd.grad(
            loss, weights, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return torch.cat([one.flatten() for one in found])

    with torch.random.fork_rng(devices=[]):
        wanted = torch.stack([gradient(model.losses(batch)[JUDGE]) for batch in judge]).mean(0)
        batch = next(iter(trained.loader.epoch(trained.step // trained.an_epoch)))
        rows = {name: gradient(loss) for name, loss in model.losses(batch).items()}
    return {
        name: {
            "length": round(row.norm().item(), 4),
            "cosine": round(torch.cosine_similarity(row, wanted, dim=0).item(), 4),
            "product": round((row @ wanted).item(), 4),
        }
        for name, row in rows.items()
    }


if __name__ == "__main__":
    main()
