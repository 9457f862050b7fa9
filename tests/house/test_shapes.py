"""The suite runs with the shapes of annotations checked."""

import pytest
import torch
from jaxtyping import TypeCheckError

from reeltune.objectives.frame_order import halves
from reeltune.types import Tokens


def test_a_wrong_shape_is_refused_where_tests_run() -> None:
    states, mask = torch.zeros(2, 4, 8), torch.ones(2, 4, dtype=torch.bool)
    halves(states, mask)
    with pytest.raises(TypeCheckError):
        halves(states, mask[:1])
    with pytest.raises(TypeCheckError):
        Tokens(ids=mask, mask=mask)
