"""What every model that can be trained promises of its start; a new one is under these tests by
being there."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel
from torch import Tensor

from reeltune.errors import ConfigError
from reeltune.models.opening.material import Material, Startable, Words
from reeltune.registry import find, names
from reeltune.types import Batch, Pair, Split

CAPTIONS = ("two dogs run", "two dogs play", "a man sings", "a man sings a song")
PAIRS = tuple(
    Pair(
        video=f"video{number // 2}",
        path=Path(f"video{number // 2}.mp4"),
        caption=caption,
        answer=caption,
    )
    for number, caption in enumerate(CAPTIONS)
)


@pytest.fixture(scope="module", params=names("models"))
def component(request: pytest.FixtureRequest) -> ModuleType:
    return find("models", request.param)


def clips(model: Any) -> tuple[Tensor, Tensor]:
    """Three clips of noise, pictures or stored features, and their mask."""
    mask = torch.tensor([[True] * 3, [True] * 3, [True, False, False]])
    width = getattr(model.config, "features", None)
    if width is not None:
        return torch.rand(3, 3, width), mask
    shape = (3, 3, 3, model.pixels.size, model.pixels.size)
    return torch.randint(0, 256, shape, dtype=torch.uint8), mask


def material_for(config: BaseModel) -> Material:
    """Two videos with two captions each, and features where the model reads these."""
    return Material(
        title="recipe contract",
        device="cpu",
        width=getattr(config, "features", None),
        splits=(Split(pairs=PAIRS, captions="multiple"),),
        words=Words(at_least=1),
    )


def test_every_model_that_trains_starts_from_material(component: ModuleType) -> None:
    """With the losses that it names, of clips, captions and what it wants of each pair beside."""
    config = component.Config.tiny()
    if not hasattr(config.build(), "losses"):
        assert not isinstance(config, Startable), "what has no losses is not started"
        return
    assert isinstance(config, Startable)
    torch.manual_seed(0)
    begun = config.start(material_for(config))
    model = begun.model
    assert any(weight.requires_grad for weight in model.parameters())
    targets = {
        name: torch.from_numpy(np.stack([of(pair) for pair in PAIRS[:3]]))
        for name, of in begun.targets.items()
    }
    tokens = model.tokenize(list(CAPTIONS[:3]))
    losses = model.losses(Batch(*clips(model), tokens, torch.tensor([0, 0, 1]), targets))
    assert all(loss.isfinite() for loss in losses.values())
    assert set(getattr(model, "tasks", losses)) == losses.keys()


def test_a_start_is_drawn_from_the_global_generator(component: ModuleType) -> None:
    config = component.Config.tiny()
    if not isinstance(config, Startable):
        pytest.skip("it is used as it is")
    prints = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        prints.append(config.start(material_for(config)).model.fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_features_that_a_model_does_not_read_are_refused(component: ModuleType) -> None:
    config = component.Config.tiny()
    if not isinstance(config, Startable):
        pytest.skip("it is used as it is")
    read = getattr(config, "features", None)
    if component.__name__.endswith("dual_encoding"):  # which reads any width, and features alone
        other = replace(material_for(config), width=None)
    else:
        other = replace(material_for(config), width=(read or 0) + 1)
    with pytest.raises(ConfigError, match=r"give --set|leave features out"):
        config.start(other)
