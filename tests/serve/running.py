"""A real server in a thread of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from reeltune.serve.run import bound, server_of
from reeltune.serve.settings import Settings

WAIT = 120  # s for an answer, where many tests run at once


@contextmanager
def running(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a server with these settings."""
    taken = bound("127.0.0.1", 0)
    taken.listen()  # so that a request that comes before the thread has begun waits for it
    server: uvicorn.Server = server_of(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
    thread.start()
    try:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with httpx.Client(base_url=address, timeout=WAIT) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        taken.close()
