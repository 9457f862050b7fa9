"""Rounds ONNX graphs to int8 by onnxruntime's own quantiser.

Products of matrices take inputs that are rounded as they come (dynamic), and tables of embeddings
are stored rounded. Convolutions take inputs whose ranges were measured on some pictures (static),
since dynamic ones are slower than those in float32. Weights take 7 of the 8 bits: processors
without VNNI add pairs of products in 16 bits, which weights of 8 bits overflow.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from reeltune.errors import ConfigError, in_short

MATRICES, CONVOLUTIONS = ("MatMul", "Gather"), ("Conv",)
FEW = 2  # convolutions that only cut a picture into patches, which are left as they are
Inputs = Mapping[str, Shaped[np.ndarray, "..."]]


def to_int8(source: Path, target: Path, examples: Sequence[Inputs]) -> None:
    """Write the graph at `source` in int8 to `target`, by a few inputs as `examples`.

    Raises ConfigError where onnx is absent.
    """
    try:
        import onnx
        from onnxruntime import quantization
    except ImportError as error:
        raise ConfigError(
            f"int8 needs onnx, which is absent ({in_short(error)}); get it with: "
            "pip install 'reeltune[onnx]'"
        ) from error
    model = onnx.load(source)
    many = sum(node.op_type in CONVOLUTIONS for node in model.graph.node) > FEW
    with _quiet():
        if many:
            quantization.quantize_static(
                model,
                target,
                _Reader(examples),
                op_types_to_quantize=list(CONVOLUTIONS),
                per_channel=True,
                reduce_range=True,
            )
        else:
            quantization.quantize_dynamic(
                model,
                target,
                op_types_to_quantize=list(MATRICES),
                per_channel=True,
                reduce_range=True,
            )


class _Reader:
    """Hands out inputs as onnxruntime asks for them."""

    def __init__(self, examples: Sequence[Inputs]) -> None:
        self._left: Iterator[Inputs] = iter(examples)

    def get_next(self) -> Inputs | None:
        """The next inputs, None after the last."""
        return next(self._left, None)

    def set_range(self, start_index: int, end_index: int) -> Any:
        """Nothing, as all are read in one go."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence advice on how a graph might be prepared, which was tried and changed nothing."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
