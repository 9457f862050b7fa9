"""Writes a model as ONNX files, and holds them to the model itself.

torch's tracer writes what a run of the model computed, so a shape that was taken for a constant
would be silently wrong elsewhere. What was written is therefore tried with other batches.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from reeltune._version import __version__
from reeltune.errors import ConfigError, ReeltuneError, in_short
from reeltune.models.exported.card import CARD, FRAMES, TEXT, WORDS, ExportCard, Precision
from reeltune.models.exported.graphs import Exportable, Graphs
from reeltune.models.exported.towers import Exported
from reeltune.models.text_towers.remember import TRIED
from reeltune.nn.int8 import Int8Conv1d, Int8Linear
from reeltune.storage.atomic_file import write_atomically

FAR = 1e-4  # from the model's own vectors, which no number may be
BATCHES = (1, 5)  # pictures that are tried together; the tracer sees two
OPSET = 18


def graphs_of(model: Any, name: str) -> tuple[Exportable, Graphs]:
    """What is written of a model; raises ConfigError, with the reason, for one of which nothing
    can be."""
    if not isinstance(model, nn.Module) or not isinstance(model, Exportable):
        raise ConfigError(
            f"{name} cannot be exported: {_why(model)}; give lite, lite-zero, a CLIP or SigLIP "
            "folder, or a run of tuned"
        )
    if any(isinstance(layer, Int8Linear | Int8Conv1d) for layer in model.modules()):
        raise ConfigError(
            f"{name} cannot be exported: its layers are int8 of our own, which ONNX does not have; "
            "export the model that it was made of, with --int8"
        )
    return model, model.graphs()


def _why(model: Any) -> str:
    kind = type(model).__name__
    if not hasattr(model, "encode_text"):
        return f"it scores pairs ({kind}) and makes no vectors by which a library is searched"
    if getattr(getattr(model, "config", None), "features", None) is not None:
        return f"it reads features that another model made ({kind}), and no frames"
    if not hasattr(model, "encode_frames"):
        return f"it reads all frames of a clip together ({kind}), and an export reads them singly"
    return f"nothing says how its towers ({kind}) are written"


def write_onnx(model: Exportable, graphs: Graphs, name: str, folder: Path) -> None:
    """Write a folder that opens as the model called `name`.

    Raises ConfigError for a model too large for the format, or one that ONNX cannot express.
    """
    tokens = model.tokenize(["a dog", "two dogs run on the beach"])
    inputs = tokens.ids.long(), tokens.mask.long()
    _trace(name, folder / TEXT, graphs.text, dict(zip(("ids", "mask"), inputs, strict=True)))
    _trace(name, folder / FRAMES, graphs.frames, {"frames": _pictures(model, 2)})
    if {path.name for path in folder.iterdir()} != {TEXT, FRAMES}:  # weights lie beside them
        raise ConfigError(
            f"{name} cannot be exported: a tower takes more than the 2 GB that an ONNX file has; "
            "give a smaller model"
        )
    write_atomically(folder / WORDS, graphs.words.encode())
    write_card(model, graphs, name, folder, "float32")


def write_card(
    model: Exportable, graphs: Graphs, name: str, folder: Path, precision: Precision
) -> None:
    """Say how the files of a folder are read."""
    card = ExportCard(
        reeltune=__version__,
        model=name,
        fingerprint=model.fingerprint,
        precision=precision,
        pixels=model.pixels,
        parts=graphs.parts,
        cleaning=graphs.cleaning,
        frames_at_once=graphs.frames_at_once,
    )
    write_atomically(folder / CARD, f"{card.model_dump_json(indent=2)}\n".encode())


@torch.inference_mode()
def off_by(model: Exportable, exported: Exported) -> float:
    """The largest difference of a number of the vectors that the two make of texts and clips."""
    found = [0.0]
    for texts in (TRIED, TRIED[:1], TRIED[1:]):
        found.append(_apart(model.encode_text(model.tokenize(texts)), exported.texts(texts)))
    for count in BATCHES:
        frames = _pictures(model, count)
        whole = model.encode_video(frames[None], torch.ones(1, count, dtype=torch.bool))
        found.append(_apart(whole, exported.clips([exported.rows(frames.numpy())])))
    return max(found)


def require_equal(model: Exportable, exported: Exported, name: str) -> float:
    """What `off_by` says, unless it is more than rounding: then raises ConfigError."""
    try:
        off = off_by(model, exported)
    except ReeltuneError as error:
        raise ConfigError(
            f"{name} cannot be exported: what ONNX makes of it does not run ({error})"
        ) from error
    if not off <= FAR:
        raise ConfigError(
            f"{name} cannot be exported: what ONNX makes of it is off by {off:.2g}, and at most "
            f"{FAR:.2g} is rounding; please report the model"
        )
    return off


def _apart(wanted: Tensor, found: Float[np.ndarray, "B D"]) -> float:
    return float(np.abs(wanted.float().cpu().numpy() - found).max())


def _pictures(model: Exportable, count: int) -> Tensor:
    side, source = model.pixels.size, torch.Generator().manual_seed(count)
    shape = (count, 3, side, side)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=source)


def _trace(name: str, path: Path, graph: nn.Module, inputs: dict[str, Tensor]) -> None:
    axes = {key: {0: "B", 1: "L"} if value.ndim == 2 else {0: "B"} for key, value in inputs.items()}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of constants, which `off_by` would find
            torch.onnx.export(
                graph.eval(),
                tuple(inputs.values()),
                path,
                input_names=list(inputs),
                output_names=["vectors"],
                dynamic_axes={**axes, "vectors": {0: "B"}},
                opset_version=OPSET,
                dynamo=False,  # which needs seconds where the other way needs a minute
            )
    except ImportError as error:
        raise ConfigError(
            f"an export needs onnx, which is absent ({in_short(error)}); get it with: "
            "pip install 'reeltune[onnx]'"
        ) from error
    except (ReeltuneError, OSError):
        raise
    except Exception as error:  # torch has classes of many kinds for what it cannot write
        raise ConfigError(
            f"{name} cannot be exported: ONNX does not have what its tower does ({in_short(error)})"
        ) from error
