"""Agreement of two forms of a model, against loops."""

import numpy as np
import pytest

from reeltune.evaluation.agreement import Vectors, agreement


def test_agreement_against_loops() -> None:
    drawn = np.random.default_rng(0)
    one = Vectors(drawn.normal(size=(30, 5)), drawn.normal(size=(8, 5)))
    other = Vectors(*(v + 0.3 * drawn.normal(size=v.shape) for v in (one.texts, one.pictures)))
    found = agreement(one, other)
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for a, b in zip(one.texts, other.texts, strict=True)
    ]
    assert found.text_cosine == pytest.approx(np.mean(cosines))
    assert found.text_cosine_least == pytest.approx(min(cosines))
    same, shared = 0, 0.0
    for a, b in zip(one.pictures, other.pictures, strict=True):
        near = [
            sorted(range(30), key=lambda i, p=p, t=t: -(p @ t[i]))[:10]
            for p, t in ((a, one.texts), (b, other.texts))
        ]
        same += near[0][0] == near[1][0]
        shared += len({*near[0]} & {*near[1]}) / 10
    assert found.same_first == pytest.approx(same / 8)
    assert found.shared_of_ten == pytest.approx(shared / 8)
    assert (found.texts, found.pictures) == (30, 8)
    assert agreement(one, one).same_first == 1
