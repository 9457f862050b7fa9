"""Ctrl-C is not raised where a lock would stay taken."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

import pytest

from reeltune.training import interrupts
from reeltune.training.interrupts import Raising


def frame_within(*calls: tuple[str, str]) -> FrameType:
    """The frame of the last of functions that call each other, each a file and a name."""
    ask: Callable[[], FrameType] = sys._getframe
    for file, name in reversed(calls):
        places: dict[str, Callable[[], FrameType]] = {"ask": ask}
        exec(compile(f"def {name}(): return ask()", file, "exec"), places)
        ask = places[name]
    return ask()


@pytest.mark.parametrize("handlers", [0, 1, 2])
def test_ctrl_c_within_a_lock_and_its_handler_comes_again(handlers: int) -> None:
    came: list[float] = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(time.monotonic()))
    try:
        within = [(interrupts.__file__, "__call__")] * handlers
        Raising()(signal.SIGINT, frame_within((threading.__file__, "__enter__"), *within))
        start = time.monotonic()
        while not came and time.monotonic() - start < 10:
            time.sleep(0.01)
        assert len(came) == 1
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("place", [(__file__, "acquire"), (threading.__file__, "wait")])
@pytest.mark.parametrize("handlers", [0, 1])
def test_ctrl_c_is_raised_everywhere_else(place: tuple[str, str], handlers: int) -> None:
    within = [(interrupts.__file__, "__call__")] * handlers
    with pytest.raises(KeyboardInterrupt):
        Raising()(signal.SIGINT, frame_within(place, *within))
