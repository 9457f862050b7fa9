"""Scores changed after the model: dual softmax and query-bank normalisation.

Neither is part of a model: a number obtained with one carries its name
(`ProtocolCard.postprocessing`), stands beside the plain one and is never the headline. Choose
temperature, beta and k on the training split.
"""

import numpy as np
from jaxtyping import Float, Int

from reeltune.errors import ConfigError
from reeltune.evaluation.metrics import chunks
from reeltune.evaluation.protocols import require_postprocessing

Matrix = Float[np.ndarray, "Q N"]


def dsl(scores: Float[np.ndarray, "Q N"], temperature: float) -> Float[np.ndarray, "Q N"]:
    """Each score times its softmax over all queries (dual softmax, Cheng et al. 2021, 2109.04290).

    Transductive: a query's result depends on the other queries of the test set, of which it needs
    all at once, and it profits from the prior that every video is asked for equally often; over
    batches of 16 to 128 queries it was measured to be worse than nothing. `temperature` is in units
    of the scores: 1 for logits as CLIP scales them, 0.01 for their cosines. The constant factor Q
    of the released code changes no rank and is left out. As published, a score below 0 comes nearer
    to 0 the less likely it is. Double precision: small probabilities would become tied zeros.
    """
    if temperature <= 0:
        raise ConfigError(f"the temperature of dsl is {temperature}; it must be above 0")
    result = scores * np.float64(1 / temperature)
    result -= _log_sum_exp(scores, 1 / temperature)
    np.exp(result, out=result)
    result *= scores
    return result


def qb_norm(
    scores: Float[np.ndarray, "Q N"], bank_scores: Float[np.ndarray, "M N"], beta: float, k: int
) -> Float[np.ndarray, "Q N"]:
    """Query-bank normalisation by dynamic inverted softmax (Bogolin et al. 2022, 2112.12777).

    `bank_scores` are those of M queries of the TRAINING split against the same gallery. A video
    among the best `k` of any bank query is a hub. A query whose best video is a hub has each score
    divided by what the bank gives that video: exp(beta s) / sum over the bank of exp(beta b).
    This returns the logarithm of that over beta, which ranks alike and cannot overflow; other rows
    stay as they are, so scores compare within a row only. Released code: beta 20, k 1, cosines.
    """
    _require_bank(scores, bank_scores, beta, k)
    towards_hub = np.isin(scores.argmax(axis=1), _hubs(bank_scores, k))  # (Q,)
    weight = _log_sum_exp(bank_scores, beta) / beta  # (N,)
    return np.where(towards_hub[:, None], scores - weight, scores)


def _hubs(bank_scores: Float[np.ndarray, "M N"], k: int) -> Int[np.ndarray, " H"]:
    """Columns that are among the best `k` of any row; of tied columns the first."""
    found = np.zeros(bank_scores.shape[1], bool)
    for rows in chunks(*bank_scores.shape):
        found[np.argsort(-bank_scores[rows], axis=1, kind="stable")[:, :k]] = True
    return np.flatnonzero(found)


def _require_bank(
    scores: Float[np.ndarray, "Q N"], bank_scores: Float[np.ndarray, "M G"], beta: float, k: int
) -> None:
    gallery = scores.shape[1]
    if beta <= 0:
        raise ConfigError(f"the beta of qb-norm is {beta}; it must be above 0")
    if not 1 <= k <= gallery:
        raise ConfigError(f"the k of qb-norm is {k}; it must be 1 to {gallery}, the gallery's size")
    if bank_scores.shape[1] != gallery or not len(bank_scores):
        raise ConfigError(
            f"the bank of qb-norm has scores of shape {bank_scores.shape}, for a gallery of "
            f"{gallery}; score at least one training query against the same gallery"
        )


def rescored(
    scores: Float[np.ndarray, "Q N"],
    postprocessing: str,
    text_bank: Float[np.ndarray, "M N"] | None = None,
    video_bank: Float[np.ndarray, "Q R"] | None = None,
) -> tuple[Matrix, Matrix]:
    """Scores for text to video and for video to text, both (Q, N), under a named post-processing.

    The two directions differ, as each is normalised over its own queries. QB-Norm needs M training
    captions against the gallery, and the test captions against R training videos.
    """
    require_postprocessing(postprocessing)
    name, *numbers = postprocessing.split()
    if name == "none":
        return scores, scores
    if name == "dsl":
        temperature = float(numbers[0])
        return dsl(scores, temperature), dsl(scores.T, temperature).T
    if text_bank is None or video_bank is None:
        raise ConfigError(
            "qb-norm needs scores of training captions against the gallery (text_bank) and of the "
            "test captions against training videos (video_bank), neither from the test split itself"
        )
    beta, k = float(numbers[0]), int(numbers[1])
    back = qb_norm(scores.T, video_bank.T, beta, k)
    return qb_norm(scores, text_bank, beta, k), back.T


def _log_sum_exp(values: Float[np.ndarray, "Q N"], scale: float) -> Float[np.ndarray, " N"]:
    """log of the sum over rows of exp(scale * value), without overflow."""
    highest = values.max(axis=0) * np.float64(scale)  # (N,)
    total = np.zeros(values.shape[1])
    for rows in chunks(*values.shape):
        total += np.exp(values[rows] * np.float64(scale) - highest).sum(axis=0)
    return highest + np.log(total)
