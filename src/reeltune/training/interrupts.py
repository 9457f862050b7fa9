"""Ctrl-C that waits for the end of a step, so that no half-made step is ever saved."""

import signal
import threading
from types import FrameType


class Interrupts:
    """Within it, the first Ctrl-C sets `came`; a second one interrupts at once."""

    def __enter__(self) -> "Interrupts":
        self.came = False
        self._is_main = threading.current_thread() is threading.main_thread()
        if self._is_main:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_main:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        signal.signal(signal.SIGINT, self._before)
