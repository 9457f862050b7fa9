"""Ctrl-C is heard wherever it comes, also where Python would swallow it."""

import signal
import sys
import time

from reeltune.errors import ReeltuneError
from reeltune.training.interrupts import SOON, Raising, interrupt_in

STOPPED = 130  # exit code after Ctrl-C, as shells have it
SHORTLY = 5.0  # s after a Ctrl-C in which an error that nobody expects is taken to be its work


def hear_all() -> None:
    """Let a Ctrl-C come again that came within a `__del__` or a callback, from which Python cannot
    raise it, and remember that one came."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, Raising())
    before = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        interrupt_in(SOON)

    sys.unraisablehook = hook


def was_stopped(error: BaseException | None) -> bool:
    """Whether Ctrl-C led to an error; what makes a class or a module may have turned it into
    another, and what imports modules late may have lost it on the way and failed soon after."""
    is_unexpected = isinstance(error, Exception) and not isinstance(error, ReeltuneError)
    if is_unexpected and time.monotonic() - Raising.came < SHORTLY:
        return True
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
