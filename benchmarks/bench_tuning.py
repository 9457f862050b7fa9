"""What does a training step of each method cost, in time and memory, beside full fine-tuning?

CLIP ViT-B/32 in full size with random weights, 12 frames per clip, batch 4 (32 on a GPU, in bf16).
Each method runs in a process of its own: one step to warm up, then the median of the timed ones.
Memory is what training adds to the process that has the model loaded: gradients, optimizer state
and activations, at their peak. Ratios are to `full`, the mean of a run before and one after.
"""

import json
import resource
import statistics
import subprocess
import sys
import time

import torch

from _line import emit
from reeltune.models._adapter import Based
from reeltune.models.opening.material import Material
from reeltune.recipes.read import read_recipe
from reeltune.training.optim import optimizer_of
from reeltune.training.settings import Settings
from reeltune.training.step import Contrast
from reeltune.types import Batch

FIGURES = {
    "time/*": ("lower", "beside full fine-tuning, time of a step"),
    "memory/*": ("lower", "beside full fine-tuning, memory of training"),
}

METHODS = (
    *("vop", "vop-p", "vop-c", "vop-f", "vop-fp", "vop-fc"),
    *("bias", "proj", "partial", "adapter-attn", "adapter-ffn", "lora"),
)
FRAMES = 12


def batch_of(model, count: int) -> Batch:  # type: ignore[no-untyped-def]
    source = torch.Generator().manual_seed(0)
    size = model.pixels.size
    frames = torch.randint(
        0, 256, (count, FRAMES, 3, size, size), dtype=torch.uint8, generator=source
    )
    texts = [f"a person does thing number {i} in the street" for i in range(count)]
    mask = torch.ones(count, FRAMES, dtype=torch.bool)
    return Batch(frames, mask, model.tokenize(texts), torch.arange(count))


def peak() -> int:
    """Bytes at most so far."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(method: str, count: int, steps: int) -> dict[str, float]:
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config: Based = read_recipe(f"msrvtt-9k/{method}").model_config_of()
    config = config.model_copy(update={"base": None})
    model = config.start(Material(device=device)).model.train()  # type: ignore[attr-defined]
    settings = Settings(precision="bf16" if device == "cuda" else "fp32")
    step, optimizer = Contrast(model, settings.precision), optimizer_of(model, settings)
    batch, before, times = batch_of(model, count), peak(), []
    for _ in range(1 + steps):
        start = time.perf_counter()
        step(batch)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.median(times[1:]), "bytes": peak() - before}


def in_process(method: str, count: int, steps: int) -> dict[str, float]:
    command = [sys.executable, __file__, method, str(count), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
        return
    count, steps = (32, 10) if torch.cuda.is_available() else (4, 2)
    first = in_process("full", count, steps)
    found = {method: in_process(method, count, steps) for method in METHODS}
    last = in_process("full", count, steps)
    full = {key: (first[key] + last[key]) / 2 for key in first}
    emit(
        "training step beside full fine-tuning, CLIP ViT-B/32",
        batch=count,
        frames=FRAMES,
        full_seconds=round(full["seconds"], 2),
        full_frames_per_second=round(count * FRAMES / full["seconds"], 1),
        full_mib=round(full["bytes"] / 2**20),
        full_first_to_last=round(first["seconds"] / last["seconds"], 3),
        time={m: round(one["seconds"] / full["seconds"], 3) for m, one in found.items()},
        memory={m: round(one["bytes"] / full["bytes"], 3) for m, one in found.items()},
    )


if __name__ == "__main__":
    main()
