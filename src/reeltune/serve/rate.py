"""How often an address may ask: so many times at once, and then so many a second."""

import threading
import time
from collections import OrderedDict

REMEMBERED = 10_000  # addresses


class Rate:
    """A bucket for each address, which fills up again; any number of threads may use it."""

    def __init__(self, per_second: float, at_once: int) -> None:
        self.per_second, self.at_once = per_second, at_once
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # and when that was

    def left(self, address: str) -> float:
        """How many times an address may ask now."""
        with self._lock:
            return self._now(address)

    def take(self, address: str) -> bool:
        """Count one time, if there is one left."""
        with self._lock:
            left = self._now(address)
            self._left[address] = max(left - 1, 0.0), time.monotonic()
            self._left.move_to_end(address)
            if len(self._left) > REMEMBERED:
                self._left.popitem(last=False)
            return left >= 1

    def _now(self, address: str) -> float:
        left, since = self._left.get(address, (float(self.at_once), time.monotonic()))
        return min(self.at_once, left + (time.monotonic() - since) * self.per_second)
