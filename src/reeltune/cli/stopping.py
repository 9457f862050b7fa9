"""Ctrl-C is heard wherever it comes, also where Python would swallow it."""

import sys
import threading

from reeltune.training.interrupts import interrupt

STOPPED = 130  # exit code after Ctrl-C, as shells have it
SOON = 0.05  # s until a Ctrl-C that was swallowed comes again


def hear_all() -> None:
    """Let a Ctrl-C come again that came within a `__del__` or a callback, from which Python cannot
    raise it."""
    before = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        again = threading.Timer(SOON, interrupt)
        again.daemon = True
        again.start()

    sys.unraisablehook = hook


def was_stopped(error: BaseException | None) -> bool:
    """Whether Ctrl-C led to an error; what makes a class or a module may have turned it into
    another."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
