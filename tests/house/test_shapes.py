"""The suite runs with the shapes of annotations checked."""

from collections import UserList
from typing import Literal

import numpy as np
import pytest
import torch
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from reeltune.objectives.frame_order import halves
from reeltune.types import Tokens
from shapes import MOST, Unlike, checked, kind_of, with_checks


def test_a_wrong_shape_is_refused_where_tests_run() -> None:
    states, mask = torch.zeros(2, 4, 8), torch.ones(2, 4, dtype=torch.bool)
    halves(states, mask)
    with pytest.raises(TypeCheckError):
        halves(states, mask[:1])
    with pytest.raises(TypeCheckError):
        Tokens(ids=mask, mask=mask)


def test_a_shape_that_has_not_passed_is_checked_in_each_call() -> None:
    @checked
    def first(x: Float[Tensor, "B D"], rows: int) -> Float[Tensor, " B"]:
        return x[:rows, 0]

    for _ in range(2):  # what passed does not let another in, nor does what was refused
        assert len(first(torch.zeros(3, 2), 3)) == 3
        assert len(first(torch.zeros(4, 2), 4)) == 4
        for x, rows in (
            (torch.zeros(3, 2), 2),  # arguments that passed, and an answer that did not
            (torch.zeros(3), 3),
            (torch.zeros(3, 2, dtype=torch.long), 3),
            (torch.zeros(3, 2), "3"),
            (np.zeros((3, 2)), 3),
        ):
            with pytest.raises(TypeCheckError):
                first(x, rows)


def test_shapes_within_containers_are_checked_in_each_call() -> None:
    @checked
    def total(parts: dict[str, Float[Tensor, " B"]], others: list[Float[Tensor, " B"]]) -> None:
        pass

    two, three = torch.zeros(2), torch.zeros(3)
    for _ in range(2):
        total({"a": two}, [two])
        with pytest.raises(TypeCheckError):
            total({"a": two}, [three])
        with pytest.raises(TypeCheckError):
            total({"a": three}, [two])
        with pytest.raises(TypeCheckError):
            total({1: two}, [two])


def test_what_a_type_does_not_tell_is_checked_in_each_call() -> None:
    def chosen(x: Float[Tensor, " B"], side: Literal["left", "right"]) -> None:
        pass

    many = [torch.zeros(2)] * (MOST + 1)
    with pytest.raises(Unlike):
        kind_of(many)
    with pytest.raises(Unlike):
        kind_of({"own": UserList(many)})
    call = with_checks(chosen)
    call(torch.zeros(2), "left")
    with pytest.raises(TypeCheckError):
        call(torch.zeros(2), "up")


def test_a_checked_function_is_called_once_and_its_errors_pass() -> None:
    calls = []

    @checked
    def counted(x: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        calls.append(x)
        if len(calls) == 3:
            raise KeyError("three")
        return x[: len(calls)]

    counted(torch.zeros(1))
    with pytest.raises(TypeCheckError):
        counted(torch.zeros(9))
    with pytest.raises(KeyError, match="three"):
        counted(torch.zeros(1))
    assert counted(torch.zeros(1)).shape == (1,)
    assert len(calls) == 4
