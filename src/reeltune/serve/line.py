"""Searches of many clients in a line: what is alike in those that wait is done together."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from reeltune.models.text_towers.together import MOST
from reeltune.records import Hit
from reeltune.search.pending import Pending, compare, read

Told = TypeVar("Told")


@dataclass(eq=False)
class _Call(Generic[Told]):
    begin: Callable[[], Pending]
    tell: Callable[[list[Hit]], Told]
    future: Future[Told] = field(default_factory=Future)

    def start(self) -> Pending | None:
        """The search, unless nobody waits for it any more or it cannot begin."""
        if not self.future.set_running_or_notify_cancel():
            return None
        try:
            return self.begin()
        except Exception as error:
            self.future.set_exception(error)
            return None

    def finish(self, begun: Pending) -> None:
        try:
            self.future.set_result(self.tell(begun.hits()))
        except Exception as error:
            self.future.set_exception(error)


class Line:
    """Two threads: one reads the words of all searches that have come while it was busy, the other
    compares what they mean with the moments, and then answers one after the other.

    Were each search to have a thread of its own, they would wait for the interpreter at every call
    of numpy. One that keeps others waiting is answered by one of `others`.
    """

    def __init__(self, others: ThreadPoolExecutor) -> None:
        self._others = others
        self._reads = ThreadPoolExecutor(1, "read")
        self._answers = ThreadPoolExecutor(1, "answer")
        self._lock = threading.Lock()  # over what follows
        self._waiting: list[_Call[Any]] = []
        self._goes_on = False
        self._answered: Future[None] | None = None  # those that were read before

    async def search(self, begin: Callable[[], Pending], tell: Callable[[list[Hit]], Told]) -> Told:
        """What `tell` makes of the hits of the search that `begin` begins."""
        call = _Call(begin, tell)
        with self._lock:
            self._waiting.append(call)
            if not self._goes_on:
                self._goes_on = True
                self._reads.submit(self._rounds)
        return await asyncio.wrap_future(call.future)

    def close(self) -> None:
        """Begin no more searches; those that have begun end."""
        with self._lock:
            for call in self._waiting:
                call.future.cancel()
            self._waiting.clear()
        self._reads.shutdown(wait=False)

    def _rounds(self) -> None:
        while calls := self._next():
            begun = [(call, one) for call in calls if (one := call.start())]
            read([one for _, one in begun])
            if self._answered is not None:  # or many small parts of the line would be compared
                wait([self._answered])
            self._answered = self._answers.submit(self._answer, begun)

    def _next(self) -> list[_Call[Any]]:
        with self._lock:
            calls = self._waiting[:MOST]
            del self._waiting[:MOST]
            self._goes_on = bool(calls)
            return calls

    def _answer(self, begun: Sequence[tuple[_Call[Any], Pending]]) -> None:
        compare([one for _, one in begun])
        for call, one in begun:
            if one.keeps_others_waiting:
                self._others.submit(call.finish, one)
            else:
                call.finish(one)
