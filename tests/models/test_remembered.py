"""`lite` while its head is tuned: the same vectors, and no frame goes through the network twice."""

import pytest
import torch
from torch import Tensor

from reeltune.models._lite.remembered import Remembered
from reeltune.models.lite import Config

TEXTS = ["a dog runs", "two people sing"]


@pytest.fixture(scope="module")
def models() -> tuple[Remembered, object]:
    torch.manual_seed(0)
    plain = Config.tiny().build()
    torch.manual_seed(0)
    return Remembered(Config.tiny().build()).eval(), plain


def clips(seed: int = 0) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 256, (2, 3, 3, 260, 260), dtype=torch.uint8, generator=source)
    return frames, torch.tensor([[True, True, True], [True, False, False]])


@torch.no_grad()
def test_vectors_are_those_of_lite(models: tuple[Remembered, object]) -> None:
    remembered, plain = models
    for _ in range(2):  # made, then remembered
        tokens = remembered.tokenize(TEXTS)
        torch.testing.assert_close(remembered.encode_text(tokens), plain.encode_text(tokens))
        torch.testing.assert_close(remembered.encode_video(*clips()), plain.encode_video(*clips()))
    assert len(remembered._features) == 4
    assert len(remembered._sentences) == 2


def test_only_the_head_learns(models: tuple[Remembered, object]) -> None:
    remembered, _ = models
    text = remembered.encode_text(remembered.tokenize(TEXTS))
    (remembered.similarity(text, remembered.encode_video(*clips())).diagonal().sum()).backward()
    for name, weight in remembered.named_parameters():
        assert weight.requires_grad == name.startswith("lite.head."), name
        is_temperature = name.endswith("logit_scale")
        assert (weight.grad is not None) == (weight.requires_grad and not is_temperature), name
