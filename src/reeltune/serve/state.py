"""What a running server holds: its settings, and the library as it is now."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from reeltune.errors import ReeltuneError
from reeltune.search.holdings import Holdings
from reeltune.search.library import Library
from reeltune.search.store.manifest import FILE_NAME
from reeltune.serve.clip_jobs import clip_jobs
from reeltune.serve.errors import Refusal
from reeltune.serve.jobs import Jobs
from reeltune.serve.kept_jobs import KeptJobs
from reeltune.serve.line import Line
from reeltune.serve.rate import Rate
from reeltune.serve.settings import Settings
from reeltune.storage.place import Place

SEARCHES = 64  # that go on at once beside those of the line: by pictures, for files, or long ones
Found = TypeVar("Found")


class State:
    """One for each server; any number of threads may use it at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.holdings = Holdings(settings.library)
        self.jobs = Jobs(self.warm, KeptJobs(str(settings.library)))
        self.clip_jobs = clip_jobs()
        self._searches = ThreadPoolExecutor(SEARCHES, "search")
        self.line = Line(self._searches)
        self.wrong_tokens = Rate(per_second=0.2, at_once=10)
        self._lock = threading.Lock()  # over what follows
        self._library: Library | None = None

    async def in_turn(self, search: Callable[[], Found]) -> Found:
        """What a search that is not for the line finds, in a thread, as soon as not too many others
        go on; it takes none of the threads that send pictures and videos."""
        return await asyncio.get_running_loop().run_in_executor(self._searches, search)

    def close(self) -> None:
        """Stop the jobs that go on, and begin no more searches."""
        self.line.close()
        self._searches.shutdown(wait=False, cancel_futures=True)
        self.clip_jobs.close()
        self.jobs.close()

    @property
    def folder(self) -> Place:
        """The folder of the library, which need not be there."""
        return self.settings.library

    def has_library(self) -> bool:
        """Whether there is a library yet."""
        return (self.folder / FILE_NAME).is_file()

    def library(self) -> Library:
        """The library, which is opened when it is first asked for, and again where it was made anew
        with another model; raises Refusal where there is none yet."""
        if not self.has_library():
            raise Refusal(
                404, "NoLibrary", f"there is no library yet at {self.folder}; bring in a folder"
            )
        with self._lock:
            if self._library is None or not self._library.is_current:
                self._library = Library(self.folder, self.settings.device)
            return self._library

    def warm(self) -> None:
        """Open the model and the moments now, so that the first search does not wait; it says what
        is wrong with them."""
        with suppress(ReeltuneError, Refusal):
            self.library().prepare()
            self.holdings.info()


async def _state(request: Request) -> State:  # as a plain function it would take a thread
    return request.app.state.held


Held = Annotated[State, Depends(_state)]
