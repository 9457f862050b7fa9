"""A plugin of pytest: the processor time of each test file, with the processes that it started.

Each process of the suite writes a line to the folder `SUITE_TIMES` when it ends.
"""

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

SECONDS: defaultdict[str, float] = defaultdict(float)  # of processor, by file
TESTS: Counter[str] = Counter()


def spent() -> float:
    """Seconds of processor of this process and of those below it that have ended."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    file = item.nodeid.partition("::")[0]
    before = spent()
    try:
        return (yield)
    finally:
        SECONDS[file] += spent() - before
        TESTS[file] += 1


def pytest_sessionfinish() -> None:
    if TESTS:
        line = {"ended": time.time(), "seconds": SECONDS, "tests": TESTS}
        Path(os.environ["SUITE_TIMES"], f"{os.getpid()}.json").write_text(json.dumps(line))
