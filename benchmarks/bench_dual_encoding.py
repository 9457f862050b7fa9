"""What does Dual Encoding cost at MSR-VTT's size, beside a straightforward implementation?

The straightforward one runs its GRUs over padding and holds every minimum and maximum of the
concepts (texts x videos x 512); both take the same steps on the same random batch of 4096-wide
features. Ratios are of processor time, medians of interleaved steps; below 1 ours is faster.
`--batch 16 --texts 2000` makes it short; MSR-VTT's official test has 59,800 texts, 2,990 videos.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from torch import Tensor
from torch.nn import functional as F

from _line import emit
from reeltune.models._dual_encoding._hybrid import hybrid_scores
from reeltune.models.dual_encoding import Config, DualEncoding
from reeltune.objectives.triplet import triplet
from reeltune.types import Batch

QUICK = ["--batch", "16", "--steps", "2", "--texts", "2000"]
FIGURES = {
    "training/step_ratio": ("lower", "beside the plain form, a training step"),
    "evaluation/ratio": ("lower", "beside the plain form, hybrid scores"),
}

VIDEOS, PLAIN_ROWS = 2990, 128  # rows of scores that the plain form is timed on
CAPTIONS = 130_260  # of the training split
Loss = Callable[[DualEncoding, Batch], Tensor]


def materialised(text: Tensor, video: Tensor) -> Tensor:
    low, high = torch.minimum(text[:, None], video), torch.maximum(text[:, None], video)
    return low.sum(-1) / high.sum(-1)


def plain_loss(model: DualEncoding, batch: Batch) -> Tensor:
    video = model.video(batch.frames, batch.mask)
    text = model.text(batch.tokens.ids, batch.tokens.mask)
    target, size = batch.targets["concepts"], len(batch.video)
    ours = (video.logits.sigmoid(), text.logits.sigmoid())
    loss = triplet(text.latent @ video.latent.T) + triplet(materialised(ours[1], ours[0]))
    return loss + size * sum(F.binary_cross_entropy(side, target) for side in ours)


def our_loss(model: DualEncoding, batch: Batch) -> Tensor:
    return torch.stack(list(model.losses(batch).values())).sum()


def batch_of(model: DualEncoding, count: int) -> Batch:
    """Clips of 20 to 60 frames, a frame each half second, and texts of 4 to 14 words."""
    source = torch.Generator().manual_seed(0)
    lengths = torch.randint(20, 61, (count,), generator=source)
    frames = torch.rand(count, 60, model.config.features, generator=source)
    mask = torch.arange(60) < lengths[:, None]
    words = torch.randint(7000, (count, 14), generator=source).tolist()
    texts = [" ".join(f"word{w + 20}" for w in row[: 4 + i % 11]) for i, row in enumerate(words)]
    targets = {"concepts": torch.rand(count, model.config.concepts, generator=source)}
    return Batch(frames, mask, model.tokenize(texts), torch.arange(count), targets)


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def way(name: str) -> tuple[DualEncoding, Loss]:
    config, loss = (Config(), our_loss) if name == "ours" else (Config(hs_compat=True), plain_loss)
    return config.build().train().requires_grad_(True), loss


def peak_of_step(name: str, count: int) -> float:
    """GiB of a process that makes two steps with Adam, and nothing else."""
    torch.manual_seed(0)
    model, loss = way(name)
    adam = torch.optim.Adam(model.parameters())
    for _ in range(2):
        loss(model, batch_of(model, count)).backward()
        adam.step()
        adam.zero_grad()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def training(count: int, steps: int) -> dict[str, object]:
    torch.manual_seed(0)
    ways = {name: way(name) for name in ("ours", "plain")}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 + steps):
        for name, (model, loss) in ways.items():
            some = batch_of(model, count)
            times[name].append(seconds(lambda m=model, f=loss, b=some: f(m, b).backward()))  # type: ignore[misc]
            model.zero_grad()
    median = {name: statistics.median(some[1:]) for name, some in times.items()}
    peaks = {}
    for name in ways:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            peaks[name] = pool.submit(peak_of_step, name, count).result()
    return {
        "batch": count,
        "peak_gib": peaks,
        "epoch_cpu_s": median["ours"] * CAPTIONS / count,
        "step_ratio": median["ours"] / median["plain"],
        "step_cpu_s": median["ours"],
    }


def vectors(count: int) -> Tensor:
    found = torch.empty(count, 2048)
    for part in found.split(4096):
        part[:, :1536] = F.normalize(torch.randn(len(part), 1536), dim=1)
        part[:, 1536:] = torch.rand(len(part), 512)
    return found


def evaluation(texts: int) -> dict[str, object]:
    text, video = vectors(texts), vectors(VIDEOS)
    ours = seconds(lambda: hybrid_scores(text, video, 1536))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    some = min(texts, PLAIN_ROWS)
    plain = seconds(lambda: materialised(text[:some, 1536:], video[:, 1536:])) * texts / some
    figures = {"ratio": ours / plain, "cpu_s": ours, "peak_gib_of_process": peak}
    return {"texts": texts, "videos": VIDEOS, **figures}


if __name__ == "__main__":
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--batch", type=int, default=128)
    reader.add_argument("--steps", type=int, default=5)
    reader.add_argument("--texts", type=int, default=59_800)
    options = reader.parse_args()
    # Scores first: the peak of memory is the process's, from its beginning.
    scored = evaluation(options.texts)
    emit(
        "Dual Encoding at MSR-VTT size, against a straightforward implementation",
        evaluation=scored,
        training=training(options.batch, options.steps),
    )
