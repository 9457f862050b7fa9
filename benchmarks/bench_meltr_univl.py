"""What does MELTR with AID-FP-Lite add to multi-task training of UniVL, in time and in memory?

One unit is a step of multi-task learning: forward and backward of the plain sum of the eight
losses, and Adam. `melted` is the same with MELTR in the place of the sum. The others take a meta
step before it: ours, by each way to the slopes c, and `double backward` as the released code does
it, by second derivatives of the whole backbone. All have the regulariser: on the batch that judges
and with its direct term, as the recipes, or on that of the melted loss, as the paper; or none of
them has it (`none`, MELTR- of the paper). Where it does not read the batch that judges, each of
them computes the primary loss alone there. Variants
take turns in one run; a figure is the median of the ratios to the multi-task steps beside it, in
seconds of the processor, and an overhead at K is that of one meta step in K steps. Memory is
measured in a process for each variant: the highest resident set over a step, with the weights and
all of Adam's state.

    python benchmarks/bench_meltr_univl.py tiny 15   # 78 thousand weights, Toybox's captions
    python benchmarks/bench_meltr_univl.py full 5    # the released sizes, random weights
    python benchmarks/bench_meltr_univl.py tiny 15 lower   # the regulariser as in the paper
    python benchmarks/bench_meltr_univl.py tiny 15 none    # without it
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from _line import emit
from reeltune.data._toybox.language import caption
from reeltune.data._toybox.world import draw_scripts
from reeltune.meltr.combiner import Total
from reeltune.meltr.hypergradient import Hypergradient, Problem
from reeltune.meltr.losses import losses_of
from reeltune.meltr.outer import HeldOut
from reeltune.meltr.scheme import Scheme
from reeltune.meltr.schemes import aid_fp_lite, multi_task
from reeltune.meltr.settings import Settings
from reeltune.meltr.step import Meltr
from reeltune.meltr.transformer import Config as Melter
from reeltune.meltr.transformer import regulariser
from reeltune.models._univl.tasks import TASKS
from reeltune.models.univl import Config, Univl
from reeltune.types import Batch

QUICK = ["tiny", "3"]
RUNS = [["tiny", "15"], ["full", "5"]]
FIGURES = {
    "cost/*": ("lower", "beside a step of multi-task learning, time"),
    "extra_beside_double_backward": ("lower", "beside double backward, extra time of a meta step"),
    "peak/*": ("lower", "beside a step of multi-task learning, peak memory"),
}

Size = Literal["tiny", "full"]
Regularised = Literal["upper", "lower", "none"]  # the batch of the regulariser
Step = Callable[[Batch], object]
SHAPES: dict[Size, tuple[int, int]] = {"tiny": (16, 16), "full": (4, 12)}  # B and T
OURS = ("jvp", "vjp", "difference")
VARIANTS = ("multi-task", "melted", *OURS, "double backward")
HELD, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def double_backward(problem: Problem) -> Hypergradient:
    """AID-FP-Lite of the release: a graph of the gradient, then its derivative by phi.

    The regulariser shares the graph of its batch.
    """
    lower, judging = problem.lower[-1], problem.upper
    weights = list(problem.weights.values())
    phi = dict(problem.combiner.named_parameters())
    with sdpa_kernel(SDPBackend.MATH):  # the others have no second derivative
        upper = losses_of(judging.model, judging.batch, judging.tasks, judging.function)
        losses = torch.stack(losses_of(lower.model, lower.batch, lower.tasks))
        melted = problem.combiner(losses)
        judged = upper[judging.tasks.index(problem.primary)]
        pulled = (melted, losses)
        if problem.gamma and problem.regularise == "upper":
            pulled = (problem.combiner(torch.stack(upper)), torch.stack(upper))
        if problem.gamma:
            judged = judged + problem.gamma * regulariser(*pulled)
        wanted: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}
        total = [torch.zeros_like(parameter) for parameter in phi.values()]
        if problem.direct_term:
            asked = list(phi.values())
            total = list(torch.autograd.grad(judged, asked, retain_graph=True, **wanted))
        v = torch.autograd.grad(judged, weights, retain_graph=True, **wanted)
        first = torch.autograd.grad(melted, weights, create_graph=True, **wanted)
        reached = [(g, x) for g, x in zip(first, v, strict=True) if g.requires_grad]
        found = torch.autograd.grad(
            [g for g, _ in reached], list(phi.values()), [-x for _, x in reached], **wanted
        )
    both = [one + other for one, other in zip(found, total, strict=True)]
    return Hypergradient(dict(zip(phi, both, strict=True)), judged.item())


def batches(model: Univl, size: Size, count: int = 3) -> list[Batch]:
    """Captions of Toybox and features of noise, of clips that differ in length."""
    source, (pairs, frames) = np.random.default_rng(0), SHAPES[size]
    made = []
    for _ in range(count):
        scripts = draw_scripts(source, "train", pairs)
        tokens = model.tokenize([caption(script, source) for script in scripts])
        features = torch.randn(pairs, frames, model.config.features)
        mask = torch.arange(frames) < torch.randint(frames // 2, frames + 1, (pairs, 1))
        made.append(Batch(features, mask, tokens, torch.arange(pairs)))
    return made


def model_of(size: Size) -> Univl:
    config = Config.tiny() if size == "tiny" else Config()
    return config.build().train()


def step_of(
    variant: str, model: Univl, held_out: list[Batch], regularise: Regularised = "upper"
) -> Meltr:
    """A step of the loop; those that are to be meta steps have one on every call but the first."""

    def epoch(_: int, start: int) -> Iterator[Batch]:
        return iter(held_out[start:])

    if variant == "multi-task":
        scheme = multi_task.Config().build()
        return Meltr(model, Total(TASKS), scheme, HeldOut(epoch), Settings())
    as_recipes = regularise == "upper"
    ways: dict[str, Any] = {"regularise": regularise, "direct_term": as_recipes}
    if regularise == "none":
        ways = {"gamma": 0.0}
    if variant in OURS:
        ways["along"] = variant
    rarely = 10**9 if variant == "melted" else 1
    scheme = aid_fp_lite.Config().build()
    if variant == "double backward":
        scheme = Scheme(variant, double_backward)
    combiner = Melter(tasks=TASKS, residual=regularise != "lower").build()
    return Meltr(model, combiner, scheme, HeldOut(epoch), Settings(every=rarely, **ways))


def trained(step: Step, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    """Seconds of this process for a step and its optimizer's, whatever else the machine does."""
    start = time.process_time()
    step(batch)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return time.process_time() - start


def adam(model: Univl) -> torch.optim.Adam:
    return torch.optim.Adam([w for w in model.parameters() if w.requires_grad], 1e-5)


def times(size: Size, rounds: int, regularise: Regularised) -> dict[str, float]:
    """Cost of a step of each variant, beside the multi-task steps before and after it."""
    torch.manual_seed(0)
    model = model_of(size)
    optimizer, (batch, *held_out) = adam(model), batches(model, size)
    plain, *tried = ((name, step_of(name, model, held_out, regularise)) for name in VARIANTS)
    ratios: dict[str, list[float]] = {name: [] for name, _ in tried}
    before = trained(plain[1], optimizer, batch)
    for turn in range(rounds + 1):
        for name, step in tried:
            took = trained(step, optimizer, batch)
            after = trained(plain[1], optimizer, batch)
            if turn > 0:  # the first one warms up
                ratios[name].append(2 * took / (before + after))
            before = after
    cost = {name: statistics.median(some) for name, some in ratios.items()}
    print(cost, file=sys.stderr, flush=True)
    return cost


def peak(size: Size, variant: str, regularise: Regularised) -> dict[str, float]:
    """Highest resident set in MB while this process trains a step, after a first one."""
    torch.manual_seed(0)
    model = model_of(size)
    optimizer, (batch, *held_out) = adam(model), batches(model, size)
    step = step_of(variant, model, held_out, regularise)
    trained(step, optimizer, batch)
    HELD.write_text("5")  # the mark starts anew
    trained(step, optimizer, batch)
    rows = dict(row.split(":", 1) for row in STATUS.read_text().splitlines())
    return {"MB": int(rows["VmHWM"].split()[0]) / 1024}


def peaks(size: Size, regularise: Regularised) -> dict[str, float]:
    """Peak memory of every variant, beside multi-task; free memory is given back at once."""
    eager = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    found = {}
    for variant in VARIANTS:
        command = [sys.executable, __file__, "peak", size, variant, regularise]
        run = subprocess.run(command, env=os.environ | eager, capture_output=True, check=True)
        found[variant] = float(json.loads(run.stdout)["MB"])
    return found


def overheads(cost: dict[str, float], every: int) -> dict[str, float]:
    """Share of time that training takes more than multi-task with a meta step in `every`."""
    plain = cost["melted"]
    return {n: round(plain - 1 + (cost[n] - plain) / every, 3) for n in cost if n != "melted"}


def main(size: Size = "tiny", rounds: str = "15", regularise: Regularised = "upper") -> None:
    # In this order: both are large.
    memory, cost = peaks(size, regularise), times(size, int(rounds), regularise)
    best = min(OURS, key=cost.__getitem__)
    extra = {name: cost[name] - cost["melted"] for name in (best, "double backward")}
    emit(
        "what MELTR with AID-FP-Lite adds to a multi-task step of UniVL, eight losses",
        size=size,
        regularise=regularise,
        weights=sum(w.numel() for w in model_of(size).parameters()),
        batch_and_frames=SHAPES[size],
        cost={name: round(value, 3) for name, value in cost.items()},
        cheapest=best,
        extra_beside_double_backward=round(extra[best] / extra["double backward"], 3),
        overhead_at_k3=overheads(cost, 3),
        overhead_at_k25=overheads(cost, 25),
        peak_mb={name: round(value) for name, value in memory.items()},
        peak={name: round(value / memory["multi-task"], 3) for name, value in memory.items()},
        rounds=int(rounds),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        print(json.dumps(peak(*sys.argv[2:])))  # type: ignore[arg-type]
    else:
        main(*sys.argv[1:])  # type: ignore[arg-type]
