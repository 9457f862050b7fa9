"""What the bilevel step says of an epoch, which the loop passes on without knowing what it is."""

from pathlib import Path

import pytest
from test_meltr_step import batch_of, model_of, step_of

from reeltune.errors import CheckpointError
from reeltune.meltr.step import Meltr
from reeltune.training.step import Reporting

LOOP = Path(__file__).parents[2] / "src" / "reeltune" / "training" / "loop.py"


def slopes(step: Meltr, *batches: int) -> list[float]:
    return [step(batch_of(number))[f"slope {step.model.primary}"] for number in batches]


def test_an_epoch_has_the_mean_slope_of_its_own_steps() -> None:
    step = step_of(model_of(), every=1, lr=0.1)
    assert isinstance(step, Reporting)
    first, second = slopes(step, 0, 1, 2), step.end_epoch()
    assert second == {"primary slope": pytest.approx(sum(first) / 3)}
    later = slopes(step, 3, 4)
    assert step.end_epoch() == {"primary slope": pytest.approx(sum(later) / 2)}
    assert step.end_epoch() == {}, "an epoch without steps has none"


def test_an_epoch_that_was_stopped_has_the_steps_from_before() -> None:
    step = step_of(model_of(), every=1, lr=0.1)
    before = slopes(step, 0, 1)
    resumed = step_of(model_of(), every=1, lr=0.1)
    resumed.load_state_dict(step.state_dict())
    after = slopes(resumed, 2)
    assert resumed.end_epoch() == {"primary slope": pytest.approx(sum([*before, *after]) / 3)}


def test_a_state_of_another_version_is_refused() -> None:
    step = step_of(model_of())
    state = step.state_dict()
    with pytest.raises(CheckpointError, match=r"4 counters.*writes 6; remove state.safetensors"):
        step.load_state_dict(state | {"places": state["places"][:4]})


def test_the_loop_names_no_method() -> None:
    text = LOOP.read_text().lower()
    assert not [word for word in ("meltr", "slope", "contrast", "vop", "dual") if word in text]
