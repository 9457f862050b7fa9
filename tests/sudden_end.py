"""A process that ends at once, wherever it is: real, and never too late."""

import random
import signal

SOON = 0.03  # s, far less than the work that is left where a test asks for the end


def end_soon() -> None:
    """Have the kernel end this process within `SOON`, without a word to Python, as SIGKILL would.

    The process asks for it itself: a test that waits for the right moment to kill another may
    itself be waiting for a processor when that moment comes.
    """
    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0005, SOON))
