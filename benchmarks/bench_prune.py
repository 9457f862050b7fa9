"""What is each way of compression worth on Dual Encoding at its true size, on a CPU?

    python benchmarks/bench_prune.py

The model of MSR-VTT (69,168,604 parameters, features of 4096 numbers) with random weights:
so sizes and times, not accuracy. Dense against pruned (0.36 of the weights zero), packed in
float32, bfloat16 and int8, int8 layers, and half of all hidden units taken out. A call encodes
8 clips of 32 frames and 8 texts of 12 words; calls of all forms take turns, and a ratio is the
median of those to the dense call beside it. With `--threads 1` times are those of the processor,
which other people's work on the machine does not lengthen.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from _line import emit
from reeltune.compress.pack import pack
from reeltune.compress.prune import census, prune
from reeltune.compress.report import Comparison, Row, latencies
from reeltune.models.dual_encoding import Config, DualEncoding
from reeltune.nn.packed import read_packed
from reeltune.nn.quantize import quantize
from reeltune.runs.fewer_units import without_units
from reeltune.storage.tensors import write_tensors

RUNS = [["--threads", "1"]]
FIGURES = {
    "packed_ratio/*": ("lower", "beside the dense checkpoint, size"),
}

CLIPS, FRAMES, WORDS = 8, 32, 12


def inputs(model: DualEncoding) -> tuple[Tensor, Tensor, list[str]]:
    """Clips as features with a mask, and texts of words that the model knows."""
    source = torch.Generator().manual_seed(0)
    clips = torch.rand(CLIPS, FRAMES, model.config.features, generator=source)
    picked = torch.randint(0, model.config.words, (CLIPS, WORDS), generator=source)
    texts = [" ".join(model.vocabulary.words[i] for i in row) for row in picked.tolist()]
    return clips, torch.ones(CLIPS, FRAMES, dtype=torch.bool), texts


def parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def measured_files(forms: dict[str, nn.Module]) -> tuple[dict[str, int], dict[str, object]]:
    """Bytes of every form, stored as small as float32 allows; what reading a packed file takes."""
    dense, pruned = forms["dense"], forms["pruned 0.36"].state_dict()
    statistics = [name for name, _ in dense.named_buffers()]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_tensors(folder / "dense", dense.state_dict())
        sizes = {name: pack(folder / "x", model.state_dict()) for name, model in forms.items()}
        sizes["dense"] = (folder / "dense").stat().st_size
        for values in ("bfloat16", "int8"):
            sizes[values] = pack(folder / "x", pruned, values, statistics)
        pack(folder / "float32", pruned)
        start = time.process_time()
        again = read_packed(folder / "float32")
        seconds = time.process_time() - start
    is_same = all(torch.equal(tensor, again[name]) for name, tensor in pruned.items())
    return sizes, {"packed_loads_identical": is_same, "read_packed_cpu_seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    dense = Config().build()
    pruned = Config().build()
    pruned.load_state_dict(dense.state_dict())
    start = time.process_time()
    found = census(pruned, prune(pruned, 0.36))
    prune_seconds = time.process_time() - start
    forms: dict[str, nn.Module] = {"dense": dense, "pruned 0.36": pruned}
    forms["int8 layers"] = quantize(dense)
    forms["half the units"] = without_units(dense, 0.5)
    forms["half the units, int8 layers"] = quantize(forms["half the units"])
    clips, mask, texts = inputs(dense)
    tokens = dense.tokenize(texts)

    def call(model: Any) -> None:
        with torch.inference_mode():
            model.encode_text(tokens)
            model.encode_video(clips, mask)

    calls = {name: partial(call, model) for name, model in forms.items()}
    clock = time.process_time if chosen.threads == 1 else time.perf_counter
    times = latencies(calls, chosen.repeats, clock)
    sizes, read = measured_files(forms)
    counts = {name: parameters(dense) for name in forms}
    for name in ("half the units", "half the units, int8 layers"):
        counts[name] = parameters(forms["half the units"])
    rows = tuple(
        Row(
            name=name,
            size=sizes[name],
            parameters=counts[name],
            nonzeros=found.nonzeros if name == "pruned 0.36" else counts[name],
            milliseconds=times[name],
        )
        for name in forms
    )
    emit(
        "What is each way of compression worth on Dual Encoding at its true size, on a CPU?",
        forms=Comparison(rows).as_dict(),
        packed_ratio={n: sizes[n] / sizes["dense"] for n in ("pruned 0.36", "bfloat16", "int8")},
        **read,
        prune_cpu_seconds=prune_seconds,
        threads=chosen.threads,
    )


if __name__ == "__main__":
    main()
