"""Ctrl-C that waits a little for the end of a step, so that no half-made step is ever saved."""

import math
import os
import signal
import threading
import time
from _thread import interrupt_main
from types import FrameType

GRACE = 1.0  # s that a step has to end by itself
TORCHRUN = "TORCHELASTIC_RUN_ID"  # a variable that torchrun sets for its processes


class Interrupts:
    """Within it, the first Ctrl-C sets `came`, and interrupts `GRACE` later unless `settle` is
    called before; a second one interrupts at once.

    Under `torchrun` the terminal sends one Ctrl-C to each process, and `torchrun` the same again:
    there a second one that follows within `GRACE` is the first.
    """

    def __enter__(self) -> "Interrupts":
        self.came, self._first = False, math.inf
        self._late: threading.Timer | None = None
        self._is_main = threading.current_thread() is threading.main_thread()
        if self._is_main:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()
        if self._is_main:
            signal.signal(signal.SIGINT, self._before)

    def settle(self) -> None:
        """Let only a second Ctrl-C interrupt what follows."""
        if self._late is not None:
            self._late.cancel()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.came and time.monotonic() - self._first < 0.9 * GRACE:
            return
        if self.came:
            signal.signal(signal.SIGINT, self._before)
            interrupt()
            return
        self.came, self._first = True, time.monotonic()
        if TORCHRUN not in os.environ:
            signal.signal(signal.SIGINT, self._before)
        self._late = threading.Timer(GRACE, interrupt)
        self._late.daemon = True
        self._late.start()


def interrupt() -> None:
    """Ctrl-C in the main thread, from any other."""
    if os.name == "posix":  # a real signal, which also ends a wait
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        interrupt_main()
