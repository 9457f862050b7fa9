"""Answers calls of several threads in one go, where that costs little more than one of them."""

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MOST = 64  # calls that share a round, to bound memory
# Held in rounds that are much work for a processor each: were two of them to go on at once, fewer
# calls would share each of them, and all of them together would be more work.
HEAVY = threading.Lock()
Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


@dataclass
class _Call(Generic[Asked, Answered]):
    asked: Asked
    answer: list[Answered] = field(default_factory=list)  # one, when it is there
    error: Exception | None = None


class Together(Generic[Asked, Answered]):
    """A function of many, to be called with one.

    While it goes on for some, those who come wait, and the next round is for all of them. So who
    comes alone waits for nobody, and the more there are, the more share a round.
    """

    def __init__(
        self,
        answer: Callable[[list[Asked]], Iterable[Answered]],
        most: int = MOST,
        lock: AbstractContextManager[object] = nullcontext(),
    ) -> None:
        """`answer` is told what at most `most` calls asked, and returns one answer for each; an
        error of it is raised in every one of them.

        Rounds of functions that have the same `lock` take turns, and those who come while one waits
        for its turn share it. What `answer` waits for must not want that lock.
        """
        self._answer, self._most, self._lock = answer, most, lock
        self._changed = threading.Condition()  # over what follows
        self._waiting: list[_Call[Asked, Answered]] = []
        self._goes_on = False

    def __call__(self, asked: Asked) -> Answered:
        """What is answered to this call."""
        call = _Call[Asked, Answered](asked)
        with self._changed:
            self._waiting.append(call)
        while not self._is_answered(call):
            self._round()
        if call.error is not None:
            raise call.error
        return call.answer[0]

    def _is_answered(self, call: _Call[Asked, Answered]) -> bool:
        """Wait until a call is answered; False where whoever made it has to see to that."""
        with self._changed:
            while not (call.answer or call.error):
                if not self._goes_on:
                    self._goes_on = True
                    return False
                self._changed.wait()
            return True

    def _round(self) -> None:
        with self._lock:
            self._answer_those_who_wait()

    def _answer_those_who_wait(self) -> None:
        with self._changed:
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
            with self._changed:
                self._goes_on = False
                self._changed.notify_all()
