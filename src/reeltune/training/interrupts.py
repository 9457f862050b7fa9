"""Ctrl-C that waits a little: for the end of a step, so that no half-made step is ever saved, and
while Python takes or lets go of a lock, which would otherwise stay taken."""

import math
import os
import signal
import threading
import time
from _thread import interrupt_main, start_new_thread
from collections.abc import Callable
from types import FrameType

GRACE = 1.0  # s that a step has to end by itself
SOON = 0.02  # s until a Ctrl-C that could not be raised comes again
WAITING = {"wait", "join", "_wait_for_tstate_lock", "_shutdown"}  # what blocks in `threading`
TORCHRUN = "TORCHELASTIC_RUN_ID"  # a variable that torchrun sets for its processes


class Interrupts:
    """Within it, the first Ctrl-C sets `came`, and interrupts `GRACE` later unless `settle` is
    called before; a second one interrupts at once.

    Under `torchrun` the terminal sends one Ctrl-C to each process, and `torchrun` the same again:
    there a second one that follows within `GRACE` is the first.
    """

    def __enter__(self) -> "Interrupts":
        self.came, self._first, self._is_settled = False, math.inf, False
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
        self._is_settled = True

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.came and time.monotonic() - self._first < 0.9 * GRACE:
            return
        if self.came:
            signal.signal(signal.SIGINT, self._before)
            interrupt()
            return
        self.came, self._first, self._is_settled = True, time.monotonic(), False
        if TORCHRUN not in os.environ:
            signal.signal(signal.SIGINT, self._before)
        interrupt_in(GRACE, unless=lambda: self._is_settled)


class Raising:
    """A handler of Ctrl-C that raises `KeyboardInterrupt`, as Python's own does, but not within the
    functions of `threading` that take and let go of locks. It remembers when Ctrl-C last came.

    Those are written in Python, so that Python's own handler may end them between the two: a lock
    stays taken then, and whoever wants it next, such as a pool that ends, waits for ever. There
    Ctrl-C comes again `SOON`, and is raised all the same after `GRACE`.
    """

    came = -math.inf  # s, on the monotonic clock; one for all, as a process has one Ctrl-C

    def __init__(self) -> None:
        self._since = math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        Raising.came = time.monotonic()
        if _has_to_do_with_locks(frame):
            self._since = min(self._since, time.monotonic())
            if time.monotonic() - self._since < GRACE:
                interrupt_in(SOON)
                return
        self._since = math.inf
        raise KeyboardInterrupt


def _has_to_do_with_locks(frame: FrameType | None) -> bool:
    while frame and frame.f_code.co_filename == __file__:  # a handler may be interrupted as well
        frame = frame.f_back
    code = frame.f_code if frame else None
    return (
        code is not None and code.co_filename == threading.__file__ and code.co_name not in WAITING
    )


def interrupt_in(seconds: float, unless: Callable[[], bool] = lambda: False) -> None:
    """Ctrl-C in the main thread so many seconds from now, unless it is not wanted any more by then.

    A handler of signals may call it, as no lock of `threading` is taken.
    """

    def late() -> None:
        time.sleep(seconds)
        if not unless():
            interrupt()

    start_new_thread(late, ())


def interrupt() -> None:
    """Ctrl-C in the main thread, from any other."""
    if os.name == "posix":  # a real signal, which also ends a wait
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        interrupt_main()
