"""Which models are trained by their vectors, as every version of Python sees it."""

import inspect
from typing import Protocol, get_type_hints

import pytest
import torch
from small_run import prompted
from test_step import Rough
from torch import nn

from reeltune.models import tuned
from reeltune.models.clip import MayBeClip
from reeltune.training.contrasted import is_contrasted
from reeltune.types import Contrasted


def asked_by(kind: type) -> set[str]:
    """Names that isinstance asks for."""
    return {name for name in vars(kind) if not name.startswith("_")} | {*get_type_hints(kind)}


@pytest.mark.parametrize("kind", [Contrasted, MayBeClip])
def test_what_isinstance_asks_for_is_seen_without_a_look_into_modules(kind: type) -> None:
    """Since Python 3.12 it looks as `getattr_static` does, past what nn.Module keeps."""
    assert Protocol in kind.__mro__
    models = [Rough(0.0), prompted(), tuned.Config.tiny().build()]
    for model in models if kind is Contrasted else models[2:]:
        for name in asked_by(kind):
            inspect.getattr_static(model, name)


def test_a_temperature_may_be_a_parameter_and_must_be_there() -> None:
    model = Rough(0.0)
    assert isinstance(dict(model.named_parameters())["logit_scale"], nn.Parameter)
    assert is_contrasted(model)
    del model.logit_scale
    assert not is_contrasted(model)
    assert not is_contrasted(torch.nn.Linear(1, 1))
