"""The precision in which frames are read: what is rounded, what is not, and who settles it."""

import os

import pytest
import torch
from torch.nn import functional as F

from reeltune.errors import ConfigError
from reeltune.models.clip import Clip, Config, Tower
from reeltune.models.lite import Lite
from reeltune.models.lite import load as load_lite
from reeltune.models.opening.precision import VARIABLE, in_precision, slow
from reeltune.models.vop import Config as Vop
from reeltune.types import FrameEncoder

SLOW = Tower(width=512, layers=6, heads=8)  # 5 ms a frame and more


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Config.tiny().build().requires_grad_(False)


@pytest.fixture(scope="module")
def lite() -> Lite:
    return load_lite(None, "cpu")


@pytest.mark.parametrize("name", ["clip", "lite"])
def test_a_rounded_model_reads_frames_alike_and_texts_the_same(
    request: pytest.FixtureRequest, name: str
) -> None:
    model: FrameEncoder = request.getfixturevalue(name)
    side = model.pixels.size
    frames = F.interpolate(torch.rand(2, 3, 4, 4), (side, side), mode="bilinear").mul(255).byte()
    there, tokens = torch.ones(2, 1, dtype=torch.bool), model.tokenize(["a dog", "two cats run"])
    with torch.inference_mode():
        before = model.encode_video(frames[:, None], there)
        rounded = model.rounded()  # type: ignore[attr-defined]
        found = rounded.encode_video(frames[:, None], there)
        assert torch.equal(model.encode_video(frames[:, None], there), before)
        assert torch.equal(rounded.encode_text(tokens), model.encode_text(tokens))
    assert not torch.equal(found, before)
    assert found.dtype == torch.float32
    assert (found * before).sum(1).min() >= 0.999
    assert rounded.fingerprint == model.fingerprint
    assert rounded.name == model.name


def test_weights_that_read_texts_are_shared(clip: Clip) -> None:
    copied = dict(clip.rounded().named_parameters())
    for name, weight in clip.named_parameters():
        is_vision = "vision_model" in name or "visual_projection" in name
        assert (copied[name] is weight) is not is_vision
        assert copied[name].dtype == (torch.bfloat16 if is_vision else torch.float32)


def test_a_library_settles_it_before_the_environment(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "bfloat16")
    assert in_precision(clip, "float32").model is clip
    assert in_precision(clip, None).precision == "bfloat16"
    monkeypatch.setenv(VARIABLE, "float32")
    assert in_precision(clip, "bfloat16").precision == "bfloat16"
    assert in_precision(clip, None).precision == "float32"


def test_a_small_model_is_not_asked_for_its_speed(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    chosen = in_precision(clip, None)
    assert (chosen.model, chosen.precision, chosen.said) == (clip, "float32", "")


def test_what_is_measured_to_be_faster_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "auto")
    tiny = Config.tiny()
    model = tiny.model_copy(update={"vision": SLOW, "image": 128}).build().requires_grad_(False)
    chosen = in_precision(model, None)  # which it is depends on the processor
    if chosen.precision == "float32":
        assert chosen.model is model
        assert not chosen.said
    else:
        assert chosen.said.startswith("clip reads frames in bfloat16, ")
        assert "times as fast as float32 here (cosine " in chosen.said
        assert chosen.said.endswith("; REELTUNE_PRECISION=float32 makes a library without it")


def test_messages_say_what_to_do(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "half")
    with pytest.raises(ConfigError, match=r"^REELTUNE_PRECISION is 'half', and it may be auto, "):
        in_precision(clip, None)
    with pytest.raises(ConfigError, match=r"^frames are to be read in bfloat16, and vop has no "):
        in_precision(Vop.tiny().build(), "bfloat16")
    assert slow("lite").endswith("float32: reeltune library reindex LIBRARY --model lite")


def test_tests_do_not_depend_on_the_processor() -> None:
    assert os.environ[VARIABLE] == "float32"
