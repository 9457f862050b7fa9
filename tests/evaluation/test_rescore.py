"""Dual softmax and QB-Norm against their formulas in loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reeltune.errors import ConfigError
from reeltune.evaluation import metrics
from reeltune.evaluation.rescore import dsl, qb_norm, rescored

COSINES = st.floats(-1, 1, width=32)
SCORES = arrays(np.float64, (5, 4), elements=COSINES)
BANK = arrays(np.float64, (6, 4), elements=COSINES)


def slow_dsl(scores: np.ndarray, temperature: float) -> np.ndarray:
    changed = np.empty(scores.shape)
    for (i, j), score in np.ndenumerate(scores):
        total = sum(math.exp(other / temperature) for other in scores[:, j])
        changed[i, j] = score * math.exp(score / temperature) / total
    return changed


def slow_qb_norm(scores: np.ndarray, bank: np.ndarray, beta: float, k: int) -> np.ndarray:
    """Dynamic inverted softmax as the paper writes it, without logarithms."""
    hubs = set()
    for row in bank:
        hubs |= set(sorted(range(len(row)), key=lambda j: -row[j])[:k])
    changed = np.empty(scores.shape)
    for i, row in enumerate(scores):
        towards_hub = max(range(len(row)), key=lambda j: row[j]) in hubs
        for j, score in enumerate(row):
            total = sum(math.exp(beta * other) for other in bank[:, j])
            changed[i, j] = math.exp(beta * score) / total if towards_hub else score
    return changed


@given(SCORES, st.sampled_from([0.05, 1.0]))
def test_dual_softmax_equals_its_formula(scores: np.ndarray, temperature: float) -> None:
    np.testing.assert_allclose(
        dsl(scores, temperature), slow_dsl(scores, temperature), rtol=1e-9, atol=1e-12
    )


@given(SCORES, BANK, st.sampled_from([1, 2]))
def test_qb_norm_is_the_formula_or_its_logarithm(
    scores: np.ndarray, bank: np.ndarray, k: int
) -> None:
    got, wanted = qb_norm(scores, bank, 20.0, k), slow_qb_norm(scores, bank, 20.0, k)
    for mine, slow, raw in zip(got, wanted, scores, strict=True):
        if (slow == raw).all():
            assert (mine == raw).all()
        else:
            np.testing.assert_allclose(np.exp(20 * mine), slow, rtol=1e-9)


def test_qb_norm_takes_a_hub_from_the_query_it_does_not_belong_to() -> None:
    scores = np.array([[0.50, 0.45, 0.10], [0.10, 0.20, 0.60]])
    bank = np.array([[0.60, 0.10, 0.10], [0.55, 0.10, 0.10]])  # video 0 is near everything
    changed = qb_norm(scores, bank, 20.0, 1)
    assert changed.argmax(axis=1).tolist() == [1, 2]
    assert (changed[1] == scores[1]).all(), "its best video is no hub"


def test_logits_far_apart_do_not_overflow_or_tie() -> None:
    scores = np.array([[100, -100], [99, 100]], np.float32)
    changed = dsl(scores, 1.0)
    assert np.isfinite(changed).all()
    assert changed[0, 1] != 0
    assert np.isfinite(qb_norm(scores, scores, 20.0, 1)).all()


def test_small_chunks_give_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    scores, bank = rng.uniform(-1, 1, (50, 8)), rng.uniform(-1, 1, (70, 8))
    whole = dsl(scores, 0.1), qb_norm(scores, bank, 20.0, 2)
    monkeypatch.setattr(metrics, "CHUNK", 24)
    np.testing.assert_allclose(dsl(scores, 0.1), whole[0], rtol=1e-12)
    np.testing.assert_allclose(qb_norm(scores, bank, 20.0, 2), whole[1], rtol=1e-12)


def test_a_named_post_processing_serves_each_direction() -> None:
    rng = np.random.default_rng(0)
    scores, texts, videos = (rng.uniform(-1, 1, shape) for shape in ((5, 4), (6, 4), (5, 3)))
    plain = rescored(scores, "none")
    assert plain[0] is scores
    assert plain[1] is scores
    there, back = rescored(scores, "dsl 0.1")
    np.testing.assert_allclose(there, slow_dsl(scores, 0.1))
    np.testing.assert_allclose(back, slow_dsl(scores.T, 0.1).T)
    there, back = rescored(scores, "qb-norm 20 1", texts, videos)
    np.testing.assert_array_equal(there, qb_norm(scores, texts, 20.0, 1))
    np.testing.assert_array_equal(back, qb_norm(scores.T, videos.T, 20.0, 1).T)


def test_settings_that_cannot_be_are_refused() -> None:
    scores = np.zeros((5, 4))
    with pytest.raises(ConfigError, match=r"temperature of dsl is 0\.0; it must be above 0"):
        dsl(scores, 0.0)
    with pytest.raises(ConfigError, match=r"beta of qb-norm is -1\.0; it must be above 0"):
        qb_norm(scores, scores, -1.0, 1)
    with pytest.raises(ConfigError, match=r"k of qb-norm is 5; it must be 1 to 4, the gallery"):
        qb_norm(scores, scores, 20.0, 5)
    with pytest.raises(ConfigError, match=r"shape \(0, 4\), for a gallery of 4; score at least"):
        qb_norm(scores, scores[:0], 20.0, 1)
    with pytest.raises(ConfigError, match=r"qb-norm needs scores of training captions .*text_bank"):
        rescored(scores, "qb-norm 20 1")
    with pytest.raises(ConfigError, match=r"postprocessing is 'softmax'; write 'none'"):
        rescored(scores, "softmax")
