"""Work in threads: results in order, a little ahead, and an early end that waits for little."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing

import pytest

from reeltune.batches.in_threads import in_threads


def test_results_come_in_the_order_of_the_items() -> None:
    def late(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number**2

    assert list(in_threads(late, range(20), 4, 6)) == [n**2 for n in range(20)]
    assert list(in_threads(late, [], 4, 6)) == []


def test_no_more_is_begun_than_asked_for() -> None:
    begun = Counter[int]()
    with closing(in_threads(lambda n: begun.update([n]), range(1000), 2, 5)) as results:
        next(results)
    assert set(begun) <= set(range(6))


def test_an_error_comes_where_its_result_would() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("the fourth")
        return number

    results = in_threads(work, range(100), 2, 10)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the fourth"):
        next(results)
    assert not [one for one in threading.enumerate() if one.name.startswith("ThreadPool")]


STOPPED = """
import os, random, signal, sys
from contextlib import closing
from reeltune.batches.in_threads import in_threads
from reeltune.cli.stopping import hear_all

hear_all()
random = random.Random(2)
begun = 0

def work(number):
    global begun
    begun += 1
    if number == after:
        os.kill(os.getpid(), signal.SIGINT)

for turn in range(200):
    after, begun = random.randrange(50), 0
    try:
        with closing(in_threads(work, range(100_000), 2, 8)) as results:
            for _ in results:
                pass
    except KeyboardInterrupt:
        assert begun < 90_000, begun
        continue
    sys.exit("no Ctrl-C came")
print("heard", turn + 1)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_at_any_moment_leaves_no_thread_that_waits_for_ever() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("heard 200\n", "")
