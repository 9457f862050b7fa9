"""`reeltune export`: a model in a form that others run, and what that form is worth."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from reeltune.compress.onnx_int8 import to_int8
from reeltune.compress.report import latencies
from reeltune.data.splits.part import Part
from reeltune.errors import ConfigError
from reeltune.evaluation.agreement import Agreement, Vectors, agreement
from reeltune.media.squares import squares
from reeltune.models.exported.by_torch import ExportedByTorch
from reeltune.models.exported.card import FRAMES, TEXT
from reeltune.models.exported.graphs import Exportable, Graphs
from reeltune.models.exported.towers import Exported
from reeltune.models.exported.write import graphs_of, require_equal, write_card, write_onnx
from reeltune.models.opening.open import open_model
from reeltune.records import Pixels
from reeltune.registry import given
from reeltune.runs.evaluate import evaluate_checkpoint
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.runs.place import RunPlace
from reeltune.search.background import captions, pictures
from reeltune.storage.outputs import new_folder

TEXT_TIMED = "a man plays the guitar on a stage, and people sing along"
FRAMES_TIMED = 8
MAIN = ("t2v.R@1", "t2v.R@5", "t2v.R@10", "v2t.R@1", "v2t.R@5", "v2t.R@10")


@dataclass(frozen=True, kw_only=True)
class Form:
    """A model as it was, or as it was exported."""

    name: str
    size: int  # bytes of weights, or of the files
    text_ms: float  # median, of one text
    frames_ms: float  # median, of eight frames
    accuracy: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export is beside the model that it was made of."""

    model: str
    folder: Path
    forms: tuple[Form, Form]
    off_by: float  # the largest difference of a number of the vectors in float32
    agreement: Agreement
    said: tuple[str, ...] = ()  # what a benchmark's figures are not as its name says

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "model": self.model,
            "folder": str(self.folder),
            "off_by": self.off_by,
            "forms": [vars(form) | {"accuracy": dict(form.accuracy)} for form in self.forms],
            "agreement": dict(self.agreement.as_dict()),
            "said": list(self.said),
        }

    def text(self) -> str:
        """The report as a table in Markdown, and sentences."""
        figures = [*self.forms[0].accuracy]
        head = ["", "size, MB", "a text, ms", f"{FRAMES_TIMED} frames, ms", *figures]
        lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
        for form in self.forms:
            cells = [form.name, f"{form.size / 1e6:.2f}", f"{form.text_ms:.1f}"]
            cells += [f"{form.frames_ms:.1f}", *(f"{form.accuracy[k]:.1f}" for k in figures)]
            lines.append("| " + " | ".join(cells) + " |")
        found = self.agreement
        lines += [
            "",
            f"cosine with the original: texts {found.text_cosine:.5f} (least "
            f"{found.text_cosine_least:.5f}), pictures {found.picture_cosine:.5f} (least "
            f"{found.picture_cosine_least:.5f})",
            f"of {found.pictures} pictures {found.same_first:.0%} have the same first of "
            f"{found.texts} captions, and {found.shared_of_ten:.0%} of the first ten are the same",
            f"in float32 no number is off by more than {self.off_by:.1g}",
        ]
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked of an export beside the files."""

    int8: bool = False
    benchmark: str | None = None  # by which both forms are measured
    split: Part = "test"
    repeats: int = 9


def export_onnx(name: str, place: RunPlace, wanted: Wanted = Wanted()) -> ExportReport:
    """Write the model called `name` to `place.out` as ONNX, and measure both forms.

    Raises ConfigError for a model that has no such form, with the reason.
    """
    model = open_model(given(name), "cpu", None)
    if isinstance(model, ExportedByTorch):
        raise ConfigError(f"{name} is an exported model already; give the one that it was made of")
    model, graphs = graphs_of(model, name)
    recipe = wanted.benchmark and evaluation_recipe(name, wanted.benchmark, {})
    with new_folder(place.out) as folder:
        write_onnx(model, graphs, name, folder)
        off = require_equal(model, Exported(folder), name)
        if wanted.int8:
            _round(model, graphs, name, folder)
        exported = Exported(folder)
        agreed = agreement(by_torch(model), _vectors(exported))
        sizes = bytes_of(model), sum(file.stat().st_size for file in folder.iterdir())
        times = _times(model, exported, wanted.repeats)
        accuracy: list[Mapping[str, float]] = [{}, {}]
        said: tuple[str, ...] = ()
        if recipe:
            reports = [
                evaluate_checkpoint(one, recipe, place, wanted.split) for one in (name, str(folder))
            ]
            accuracy = [_main(report.values()) for report in reports]
            said = tuple(reports[1].protocol.differs)
        names = "torch", f"onnx, {exported.card.precision}"
        forms = [
            Form(name=called, size=size, text_ms=text, frames_ms=frames, accuracy=figures)
            for called, size, (text, frames), figures in zip(
                names, sizes, times, accuracy, strict=True
            )
        ]
    return ExportReport(
        model=name,
        folder=place.out,
        off_by=off,
        forms=(forms[0], forms[1]),
        agreement=agreed,
        said=said,
    )


def _round(model: Exportable, graphs: Graphs, name: str, folder: Path) -> None:
    """Replace the graphs of a folder by those in int8."""
    seen = _squares(_half(0), model.pixels)
    at_once = graphs.frames_at_once
    examples = [{"frames": seen[at : at + at_once]} for at in range(0, len(seen), at_once)]
    for file in (TEXT, FRAMES):
        whole = folder / f"float32-{file}"
        shutil.move(folder / file, whole)
        to_int8(whole, folder / file, examples)
        whole.unlink()
    write_card(model, graphs, name, folder, "int8")


def _half(which: int) -> list[Image.Image]:
    """Every second picture of the background, and the quarters of each: one half measures ranges
    for int8, and the other judges."""
    found = []
    for picture in pictures()[which::2]:
        x, y = picture.width // 2, picture.height // 2
        corners = [(0, 0), (x, 0), (0, y), (x, y)]
        found += [picture, *(picture.crop((a, b, a + x, b + y)) for a, b in corners)]
    return found


def _squares(shown: Sequence[Image.Image], pixels: Pixels) -> UInt8[np.ndarray, "N 3 S S"]:
    return np.concatenate([squares(np.asarray(one)[None], pixels) for one in shown])


def _vectors(exported: Exported) -> Vectors:
    rows = exported.rows(_squares(judged(), exported.pixels))
    return Vectors(exported.texts(captions()), exported.clips([[row] for row in rows]))


@torch.inference_mode()
def by_torch(model: Any) -> Vectors:
    """What a model makes of the captions and pictures by which forms are compared."""
    shown = torch.from_numpy(_squares(judged(), model.pixels))[:, None]  # (N, 1, 3, S, S)
    seen = model.encode_video(shown, torch.ones(len(shown), 1, dtype=torch.bool))
    read = model.encode_text(model.tokenize(captions()))
    return Vectors(read.float().numpy(), seen.float().numpy())


def bytes_of(model: Any) -> int:
    """Bytes of a model's weights in memory."""
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())


def _times(
    model: Exportable, exported: Exported, repeats: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Medians of milliseconds of a text and of frames in both forms."""
    side = model.pixels.size
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES_TIMED, 3, side, side), np.uint8)
    frames, there = torch.from_numpy(noise)[None], torch.ones(1, FRAMES_TIMED, dtype=torch.bool)
    text, text_onnx, seen, seen_onnx = timed(
        {
            "read": lambda text: model.encode_text(model.tokenize([text])),
            "read by onnx": lambda text: exported.texts([text]),
            "watch": lambda _: model.encode_video(frames, there),
            "watch by onnx": lambda _: exported.clips([exported.rows(noise)]),
        },
        repeats,
    )
    return (text, seen), (text_onnx, seen_onnx)


@torch.inference_mode()
def timed(calls: Mapping[str, Callable[[str], object]], repeats: int) -> list[float]:
    """Medians of milliseconds of calls, which are told a text, each in turn."""
    ready = {name: partial(call, TEXT_TIMED) for name, call in calls.items()}
    found = latencies(ready, repeats, time.perf_counter)
    return [float(np.median(times)) for times in found.values()]


def judged() -> list[Image.Image]:
    """The pictures by which forms are compared; int8 is not measured by these."""
    return _half(1)


def _main(values: Mapping[str, float]) -> dict[str, float]:
    """Recalls in both directions, where a benchmark has them, and else all that it has."""
    return {name: values[name] for name in MAIN if name in values} or dict(values)
