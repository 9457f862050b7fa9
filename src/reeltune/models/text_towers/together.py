"""Answers calls of several threads in one go, where that costs little more than one of them."""

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MOST = 32  # calls that share a round, to bound memory
# Held in rounds that are much work for a processor: were two of them to go on at once, fewer calls
# would share each, and there would be more work in all.
HEAVY = threading.Lock()
Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


@dataclass(eq=False)
class _Call(Generic[Asked, Answered]):
    asked: Asked
    answer: list[Answered] = field(default_factory=list)  # one, when it is there
    error: Exception | None = None
    leads: bool = False  # whether it sees to the next round
    woken: threading.Event = field(default_factory=threading.Event)  # when it leads or is done

    @property
    def is_done(self) -> bool:
        return bool(self.answer) or self.error is not None


class Together(Generic[Asked, Answered]):
    """A function of many, to be called with one.

    While it goes on for some, those who come wait, and the next round is for all of them. So who
    comes alone waits for nobody, and the more there are, the more share a round.
    """

    def __init__(
        self,
        answer: Callable[[list[Asked]], Iterable[Answered]],
        most: int = MOST,
        turns: AbstractContextManager[object] = nullcontext(),
    ) -> None:
        """`answer` is told what at most `most` calls asked, and returns one answer for each; an
        error of it is raised in every one of them.

        Rounds of functions with the same lock, `turns`, take turns, and those who come while one
        waits for its turn share it. What `answer` waits for must not want that lock.
        """
        self._answer, self._most, self._turns = answer, most, turns
        self._lock = threading.Lock()  # over what follows
        self._waiting: list[_Call[Asked, Answered]] = []  # the first one leads, if none goes on
        self._goes_on = False  # whether any call leads

    def __call__(self, asked: Asked) -> Answered:
        """What is answered to this call."""
        call = _Call[Asked, Answered](asked)
        try:
            with self._lock:
                self._waiting.append(call)
                if not self._goes_on:
                    self._goes_on = call.leads = True
            if not call.leads:
                call.woken.wait()
            if call.leads:
                with self._turns:
                    self._round()
        finally:  # also where Ctrl-C ends it
            self._leave(call)
        if call.error is not None:
            raise call.error
        return call.answer[0]

    def _round(self) -> None:
        with self._lock:
            calls = self._waiting[: self._most]
            del self._waiting[: self._most]
        try:
            answers = self._answer([call.asked for call in calls])
            for call, answer in zip(calls, answers, strict=True):
                call.answer.append(answer)
        except Exception as error:
            for call in calls:
                call.error = error
        finally:
            with self._lock:  # those left by a round that Ctrl-C ended are for the next
                self._waiting[:0] = [call for call in calls if not call.is_done]
            for call in calls:
                if call.is_done:
                    call.woken.set()

    def _leave(self, call: _Call[Asked, Answered]) -> None:
        with self._lock:
            if call in self._waiting:
                self._waiting.remove(call)
            if call.leads:
                call.leads, self._goes_on = False, bool(self._waiting)
                for next_one in self._waiting[:1]:
                    next_one.leads = True
                    next_one.woken.set()
