"""Calls of several threads that are answered in one go."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from reeltune.models.text_towers.together import Together

CALLS, MOST = 40, 8


def test_those_who_come_meanwhile_share_the_next_round() -> None:
    rounds: list[list[int]] = []
    began, go_on = threading.Event(), threading.Event()

    def doubled(numbers: list[int]) -> list[int]:
        rounds.append(numbers)
        began.set()
        assert go_on.wait(30)
        return [2 * number for number in numbers]

    together = Together(doubled, MOST)
    with ThreadPoolExecutor(CALLS) as pool:
        first = pool.submit(together, 0)
        assert began.wait(30)
        others = [pool.submit(together, number) for number in range(1, CALLS)]
        while len(together._waiting) < CALLS - 1:
            threading.Event().wait(0.005)
        go_on.set()
        assert [call.result() for call in (first, *others)] == [2 * n for n in range(CALLS)]
    assert rounds[0] == [0]
    assert [len(numbers) for numbers in rounds[1:]] == [MOST] * 4 + [CALLS - 1 - 4 * MOST]


def test_an_error_reaches_all_of_its_round_and_nobody_else() -> None:
    def even(numbers: list[int]) -> list[int]:
        if any(number % 2 for number in numbers):
            raise ValueError(f"{numbers} has an odd one")
        return numbers

    together = Together(even, 1)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(together, number) for number in range(CALLS)]
    for number, call in enumerate(calls):
        if number % 2:
            with pytest.raises(ValueError, match=rf"\[{number}\] has an odd one"):
                call.result()
        else:
            assert call.result() == number


def test_functions_with_one_lock_take_turns_and_who_waits_for_them_shares_a_round() -> None:
    lock = threading.Lock()
    began, go_on = threading.Event(), threading.Event()
    rounds: list[list[int]] = []

    def slow(numbers: list[int]) -> list[int]:
        began.set()
        assert go_on.wait(30)
        return numbers

    def noted(numbers: list[int]) -> list[int]:
        rounds.append(sorted(numbers))
        return numbers

    first, second = Together(slow, turns=lock), Together(noted, turns=lock)
    with ThreadPoolExecutor(8) as pool:
        one = pool.submit(first, 0)
        assert began.wait(30)
        others = [pool.submit(second, number) for number in range(7)]
        while len(second._waiting) < 7:
            threading.Event().wait(0.005)
        assert not rounds
        go_on.set()
        assert [call.result() for call in (one, *others)] == [0, *range(7)]
    assert rounds == [[*range(7)]]


def test_who_waits_for_a_round_that_ctrl_c_ends_is_answered_by_another() -> None:
    began, go_on = threading.Event(), threading.Event()
    rounds: list[list[int]] = []

    def ended(numbers: list[int]) -> list[int]:
        rounds.append(sorted(numbers))
        if len(rounds) == 1:
            began.set()
            assert go_on.wait(30)
        if len(rounds) == 2:
            raise KeyboardInterrupt
        return numbers

    together = Together(ended)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(together, 0)
        assert began.wait(30)
        others = [pool.submit(together, number) for number in range(1, 8)]
        while len(together._waiting) < 7:
            threading.Event().wait(0.005)
        go_on.set()
        assert first.result() == 0
        errors = [call.exception() for call in others]
    assert [type(error) for error in errors if error] == [KeyboardInterrupt]
    answered = [call.result() for call, error in zip(others, errors, strict=True) if not error]
    assert rounds == [[0], [*range(1, 8)], sorted(answered)]
