"""Waits until something is so."""

import time
from collections.abc import Callable

LONG = 300.0  # s
LOOK = 0.02  # s between two looks


def until(done: Callable[[], object], within: float = LONG) -> None:
    """Wait until something is so, for which there are so many seconds."""
    end = time.monotonic() + within
    while not done():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(LOOK)
