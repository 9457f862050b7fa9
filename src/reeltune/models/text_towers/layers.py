"""Layers of a transformer in numpy, for texts one behind the other, so that nothing is padded.

Letters in shapes: L tokens of N texts, W width, O outputs. Weights are (O, W), as torch keeps them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

import numpy as np
from jaxtyping import Float, Float32

AT_ONCE = 1 << 15  # numbers that stay in a processor's cache while much is done with them

Weights = Mapping[str, Float32[np.ndarray, "..."]]  # by the names that they have in a file
Activation = Callable[[Float[np.ndarray, "L W"]], Float[np.ndarray, "L W"]]


def linear(x: Float[np.ndarray, "*L W"], of: Weights, name: str) -> Float[np.ndarray, "*L O"]:
    """A linear layer, with a bias if it has one."""
    weight = of[f"{name}.weight"]
    # For few tokens BLAS is faster by a third where the weights come first.
    made = (weight @ x.T).T if x.ndim == 2 else x @ weight.T
    if f"{name}.bias" in of:
        made += of[f"{name}.bias"]
    return made


def layer_norm(
    x: Float[np.ndarray, "L W"], of: Weights, name: str, eps: float
) -> Float[np.ndarray, "L W"]:
    """Each token at mean 0 and variance 1, then scaled and moved as was learnt."""
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(eps))
    return centred / scale * of[f"{name}.weight"] + of[f"{name}.bias"]


def attention(
    query: Float[np.ndarray, "L W"],
    key: Float[np.ndarray, "L W"],
    value: Float[np.ndarray, "L W"],
    heads: int,
    causal: bool,
    ends: Sequence[int] = (),
) -> Float[np.ndarray, "L W"]:
    """Attention of all tokens of a text to all, or where it is `causal` only to those before.

    `ends` says where each text but the last ends. Texts of one length are read together, as each
    call of numpy may wait for other threads.
    """
    mixed = np.empty_like(value)
    starts = np.array([0, *ends])
    lengths = np.diff([*starts, len(query)])
    for length in np.unique(lengths):
        rows = starts[lengths == length, None] + np.arange(length)  # (N, S)
        mixed[rows] = _attention(query[rows], key[rows], value[rows], heads, causal)
    return mixed


def _attention(
    query: Float[np.ndarray, "N S W"],
    key: Float[np.ndarray, "N S W"],
    value: Float[np.ndarray, "N S W"],
    heads: int,
    causal: bool,
) -> Float[np.ndarray, "N S W"]:
    """Attention within N texts of S tokens each."""
    texts, length, width = query.shape
    q, k, v = (
        x.reshape(texts, length, heads, width // heads).transpose(0, 2, 1, 3)
        for x in (query, key, value)
    )  # (N, H, S, V) each
    scores = q @ k.swapaxes(2, 3) / np.float32(math.sqrt(width // heads))
    if causal:
        scores = np.where(np.tri(length, dtype=bool), scores, np.float32(-np.inf))  # (N, H, S, S)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return (shares @ v).swapaxes(1, 2).reshape(texts, length, width)


def ends_of(texts: Sequence[Sequence[int]]) -> list[int]:
    """Where each of some texts, which are given by their tokens, but the last ends."""
    return [*accumulate(len(ids) for ids in texts)][:-1]


def unit(vector: Float[np.ndarray, " D"]) -> Float32[np.ndarray, " D"]:
    """A vector brought to length 1."""
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


def gelu(x: Float[np.ndarray, "L W"]) -> Float[np.ndarray, "L W"]:
    """x times the normal distribution function of x."""
    made = np.empty_like(x)
    numbers, places = x.ravel("K"), made.ravel("K")  # as they lie in memory
    for start in range(0, x.size, AT_ONCE):
        some, place = numbers[start : start + AT_ONCE], places[start : start + AT_ONCE]
        place[:] = _erf(some / np.float32(math.sqrt(2)))
        place += 1
        place *= some
        place /= 2
    return made


def gelu_tanh(x: Float[np.ndarray, "L W"]) -> Float[np.ndarray, "L W"]:
    """The approximation of `gelu` by a hyperbolic tangent."""
    inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x**3)
    return x * (1 + np.tanh(inner)) / 2


def quick_gelu(x: Float[np.ndarray, "L W"]) -> Float[np.ndarray, "L W"]:
    """x times the logistic function of 1.702 x, as CLIP was trained."""
    return x / (1 + np.exp(np.minimum(np.float32(-1.702) * x, np.float32(80))))


ACTIVATIONS: dict[str, Activation] = {  # by the names of transformers
    "gelu": gelu,
    "quick_gelu": quick_gelu,
    "gelu_pytorch_tanh": gelu_tanh,
    "gelu_new": gelu_tanh,
}


def _erf(x: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
    """The error function, at most 1.5e-7 off (Abramowitz and Stegun, 7.1.26); numpy has none.

    All is done in three arrays, as new ones would cost more than what is computed.
    """
    size = np.abs(x)
    t = size * np.float32(0.3275911)
    t += 1
    np.reciprocal(t, out=t)
    total = np.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        total += np.float32(factor)
        total *= t
    np.square(size, out=size)
    np.negative(size, out=size)
    total *= np.exp(size, out=size)
    np.subtract(1, total, out=total)
    return np.copysign(total, x, out=total)
