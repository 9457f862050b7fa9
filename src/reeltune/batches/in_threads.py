"""Work on many things in threads, a little ahead of whoever uses the results."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

CORES = os.cpu_count() or 1
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int = CORES,
    ahead: int = 2 * CORES,
) -> Generator[Result, None, None]:
    """Results in the order of the items; of what follows the latest, `ahead` items are begun or
    wait for a thread.

    Whoever leaves early, as an error or Ctrl-C has it, waits for the items that are begun, of which
    each thread has one, and for no other.
    """
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def usable_cores() -> int:
    """Cores for this process; OMP_NUM_THREADS, which people set for this, may say fewer."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else CORES
    return int(named) if named.isdigit() and int(named) > 0 else cores
