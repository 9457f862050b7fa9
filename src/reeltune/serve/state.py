"""What a running server holds: its settings, and the library as it is now."""

import threading
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Request

from reeltune.errors import ReeltuneError
from reeltune.search.library import Library
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.serve.errors import Refusal
from reeltune.serve.jobs import Jobs
from reeltune.serve.rate import Rate
from reeltune.serve.settings import Settings
from reeltune.storage.place import Place


class State:
    """One for each server; any number of threads may use it at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.jobs = settings, Jobs(self.warm)
        self.wrong_tokens = Rate(per_second=0.2, at_once=10)
        self._lock = threading.Lock()  # over what follows
        self._library: Library | None = None

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
            made = Manifest.read(self.folder).settings_hash()
            if self._library is None or self._library.manifest.settings_hash() != made:
                self._library = Library(self.folder, self.settings.device)
            return self._library

    def warm(self) -> None:
        """Open the model and the moments now, so that the first search does not wait; it says what
        is wrong with them."""
        with suppress(ReeltuneError, Refusal):
            self.library().prepare()


def _state(request: Request) -> State:
    return request.app.state.held


Held = Annotated[State, Depends(_state)]
