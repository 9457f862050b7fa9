"""What does a step of training take of each model: time and memory, tiny or of its true size?

    python benchmarks/bench_step.py                    # every model at the sizes of its tiny()
    python benchmarks/bench_step.py --true violet      # one step at its true size, random weights

A step is the losses by which the model is trained, their gradients and AdamW. Each model is a
process of its own on one thread. Figures are seconds of the processor, medians over the steps after
the first, so that other programs matter little, and MB of the highest resident set: of the whole
process, and above what it held before the first step.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from _line import emit
from reeltune.errors import ConfigError
from reeltune.registry import find, names
from reeltune.runs.step import step_of
from reeltune.training.settings import Settings
from reeltune.types import Batch

QUICK = ["--steps", "3"]
FIGURES = {
    "models/*/seconds": ("lower", "seconds of processor a step"),
    "models/*/step_MB": ("lower", "memory of a step beyond that of the model, MB"),
}

TEXTS = ["a man plays the guitar on a stage", "two dogs run in the snow"]
TRUE: dict[str, tuple[int, dict[str, Any]]] = {  # frames of a clip, and what the settings need
    "violet": (5, {}),
    "all-in-one": (3, {}),
    "alpro": (8, {"prompter": "tiny-clip", "entities": tuple(f"thing{n}" for n in range(1000))}),
    "univl": (48, {}),
}
MEGABYTE = 1e6


def main() -> None:
    chosen = arguments()
    if chosen.alone:
        print(json.dumps(measured(chosen.alone, chosen)))
    elif chosen.true:
        emit("a step of training at true size", **apart(chosen.true, chosen))
    else:
        found = {name: apart(name, chosen) for name in names("models") if is_trained(name)}
        emit("a step of training of each tiny model", batch=chosen.batch, models=found)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--true", choices=TRUE, help="a model, at its true size")
    parser.add_argument("--batch", type=int, help="clips; 8, or 2 at true size")
    parser.add_argument("--frames", type=int, help="of a clip; 4, or those of its recipe")
    parser.add_argument("--steps", type=int, help="that are timed; 20, or 1 at true size")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    for name, usual, true in (("batch", 8, 2), ("steps", 20, 1), ("frames", 4, 0)):
        if getattr(chosen, name) is None:
            setattr(chosen, name, true if chosen.true else usual)
    if chosen.true and not chosen.frames:
        chosen.frames = TRUE[chosen.true][0]
    return chosen


def is_trained(name: str) -> bool:
    """Whether a model has weights of its own that a step moves."""
    model = find("models", name).Config.tiny().build()
    return hasattr(model, "losses") and any(one.requires_grad for one in model.parameters())


def apart(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """`measured` in a process of its own."""
    flags = [f"--{one}={getattr(chosen, one)}" for one in ("batch", "frames", "steps")]
    flags += [f"--true={chosen.true}"] if chosen.true else []
    command = [sys.executable, __file__, f"--alone={name}", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"{name} took no step: {done.stderr.strip().splitlines()[-1]}")
    return {"model": name, **json.loads(done.stdout.splitlines()[-1])}


def measured(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Weights, losses, time and memory of steps of one model."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    component = find("models", name)
    config = component.Config(**TRUE[name][1]) if chosen.true else component.Config.tiny()
    model = config.build().train()
    built, step = peak(), step_of(model, Settings())
    optimizer = torch.optim.AdamW(model.parameters(), 1e-5)
    batch, took, losses = batch_for(model, chosen), [], {}
    for _ in range(chosen.steps + 1):
        start = time.process_time()
        losses = step(batch)
        optimizer.step()
        optimizer.zero_grad()
        took.append(time.process_time() - start)
    trained = [one for one in model.parameters() if one.requires_grad]
    return {
        "weights": sum(one.numel() for one in trained),
        "losses": [one for one in losses if one != "loss"],
        "batch": chosen.batch,
        "frames": chosen.frames,
        "seconds": round(statistics.median(took[1:]), 4),
        "peak_MB": round(peak() / MEGABYTE),
        "step_MB": round((peak() - built) / MEGABYTE),
    }


def batch_for(model: Any, chosen: argparse.Namespace) -> Batch:
    """Clips of noise with texts, as the model reads them."""
    shape, width = (chosen.batch, chosen.frames), getattr(model.config, "features", None)
    if width is None:
        size = model.pixels.size
        frames = torch.randint(0, 256, (*shape, 3, size, size), dtype=torch.uint8)
    else:
        frames = torch.randn(*shape, width)
    texts = [TEXTS[n % len(TEXTS)] for n in range(chosen.batch)]
    concepts = getattr(model.config, "concepts", 0)
    targets = {"label": torch.arange(chosen.batch) % 3}  # for a model that is always asked
    if concepts:
        targets["concepts"] = torch.rand(chosen.batch, concepts)
    mask = torch.ones(shape, dtype=torch.bool)
    return Batch(frames, mask, model.tokenize(texts), torch.arange(chosen.batch), targets)


def peak() -> float:
    """Bytes of the highest resident set of this process so far.

    Linux counts what the parent held into `ru_maxrss` of its child; VmHWM is the child's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        rows = dict(row.split(":", 1) for row in status.read_text().splitlines())
        return float(rows["VmHWM"].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


if __name__ == "__main__":
    main()
