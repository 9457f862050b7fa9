"""Ctrl-C is heard wherever it comes, also where Python would swallow it."""

import signal
import sys
import threading
from types import FrameType

from reeltune.training.interrupts import interrupt

STOPPED = 130  # exit code after Ctrl-C, as shells have it
SOON = 0.05  # s until a Ctrl-C that was swallowed comes again
_heard = threading.Event()  # that Ctrl-C came in this process


def hear_all() -> None:
    """Let a Ctrl-C come again that came within a `__del__` or a callback, from which Python cannot
    raise it, and remember that one came."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _hear)
    before = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        again = threading.Timer(SOON, interrupt)
        again.daemon = True
        again.start()

    sys.unraisablehook = hook


def _hear(number: int, frame: FrameType | None) -> None:
    _heard.set()
    signal.default_int_handler(number, frame)


def was_stopped(error: BaseException | None) -> bool:
    """Whether Ctrl-C led to an error; what makes a class or a module may have turned it into
    another, and what imports modules late may have lost it on the way."""
    if _heard.is_set() and isinstance(error, ImportError):
        return True
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
