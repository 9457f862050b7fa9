"""Vectors of texts that were read before are not read again, as long as they are remembered."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from reeltune.models.text_towers import recent as _recent
from reeltune.models.text_towers.recent import Recent


def lengths(texts: Sequence[str]) -> np.ndarray:
    """A vector for each text, which says how long it is."""
    return np.array([[len(text), 1] for text in texts], np.float32)


def test_each_text_is_read_once_until_it_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_recent, "KEPT", 3)
    read: list[list[str]] = []

    def noted(texts: Sequence[str]) -> np.ndarray:
        read.append([*texts])
        return lengths(texts)

    recent = Recent(noted)
    for asked in (["a", "bb", "a"], ["bb", "ccc"], ["a"], ["dddd"], ["a", "bb"]):
        assert np.array_equal(recent(asked), lengths(asked))
    assert read == [["a", "bb"], ["ccc"], ["dddd"], ["bb"]]
    everything = [str(10**number) for number in range(9)]
    assert np.array_equal(recent(everything), lengths(everything))


def test_a_vector_that_somebody_changes_is_remembered_as_it_was() -> None:
    recent = Recent(lengths)
    recent(["a"])[:] = 0
    assert np.array_equal(recent(["a"]), lengths(["a"]))


def test_who_asks_for_what_is_remembered_waits_for_nobody_who_reads() -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(texts: Sequence[str]) -> np.ndarray:
        if "new" in texts:
            began.set()
            assert go_on.wait(30)
        return lengths(texts)

    recent = Recent(slow)
    recent(["old"])
    with ThreadPoolExecutor(1) as pool:
        new = pool.submit(recent, ["new"])
        assert began.wait(30)
        assert np.array_equal(recent(["old"]), lengths(["old"]))
        go_on.set()
        assert np.array_equal(new.result(), lengths(["new"]))
