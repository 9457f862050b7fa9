"""Vectors of words by the packaged sentence encoder."""

import numpy as np

from reeltune.models.opening.sentences import Sentences


def test_every_text_has_its_own_vector_whatever_stands_beside_it() -> None:
    texts = ["a birthday cake", "no", "a birthday cake", "a party where candles are blown out", "x"]
    sentences = Sentences()
    sentences.require()
    found = sentences.vectors(texts)
    assert (found.shape, found.dtype) == ((5, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, found, strict=True):
        np.testing.assert_allclose(sentences.vectors([text])[0], vector, atol=1e-5)
    near = found @ found[0]
    assert near[2] == near.max()
    assert near[3] > near[4]
    assert sentences.vectors([]).shape == (0, 384)
