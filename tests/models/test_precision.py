"""The precision in which frames are read: what is rounded, what is not, and who settles it."""

import os

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from reeltune.errors import ConfigError
from reeltune.models.clip import Clip, Config, Tower
from reeltune.models.lite import Lite
from reeltune.models.lite import load as load_lite
from reeltune.models.opening import precision as precision_module
from reeltune.models.opening.precision import VARIABLE, in_precision, slow
from reeltune.models.vop import Config as Vop
from reeltune.nn.int8_narrow import multiplies_exactly
from reeltune.records import Precision
from reeltune.search.background import shown
from reeltune.types import FrameEncoder, Pixels

SLOW = Tower(width=512, layers=6, heads=8)  # 5 ms a frame and more


def some_pictures(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(shown(pixels)[:4])


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Config.tiny().build().requires_grad_(False)


@pytest.fixture(scope="module")
def wide() -> Clip:
    """One that is slow enough to be asked."""
    tiny = Config.tiny().model_copy(update={"vision": SLOW, "image": 128})
    return tiny.build().requires_grad_(False)


@pytest.fixture(scope="module")
def lite() -> Lite:
    return load_lite(None, "cpu")


@pytest.mark.parametrize(
    ("name", "precision"), [("clip", "bfloat16"), ("clip", "int8"), ("lite", "bfloat16")]
)
def test_a_rounded_model_reads_frames_alike_and_texts_the_same(
    request: pytest.FixtureRequest, name: str, precision: Precision
) -> None:
    model: FrameEncoder = request.getfixturevalue(name)
    side = model.pixels.size
    frames = F.interpolate(torch.rand(2, 3, 4, 4), (side, side), mode="bilinear").mul(255).byte()
    there, tokens = torch.ones(2, 1, dtype=torch.bool), model.tokenize(["a dog", "two cats run"])
    with torch.inference_mode():
        before = model.encode_video(frames[:, None], there)
        rounded = model.rounded(precision)  # type: ignore[attr-defined]
        found = rounded.encode_video(frames[:, None], there)
        assert torch.equal(model.encode_video(frames[:, None], there), before)
        assert torch.equal(rounded.encode_text(tokens), model.encode_text(tokens))
    assert not torch.equal(found, before)
    assert found.dtype == torch.float32
    assert (found * before).sum(1).min() >= 0.999
    assert rounded.fingerprint == model.fingerprint
    assert rounded.name == model.name


def test_weights_that_read_texts_are_shared(clip: Clip) -> None:
    copied = dict(clip.rounded("bfloat16").named_parameters())
    for name, weight in clip.named_parameters():
        is_vision = "vision_model" in name or "visual_projection" in name
        assert (copied[name] is weight) is not is_vision
        assert copied[name].dtype == (torch.bfloat16 if is_vision else torch.float32)


def test_int8_takes_the_layers_of_the_image_tower_alone(clip: Clip) -> None:
    rounded = clip.rounded("int8").towers
    kinds = {name: type(layer).__name__ for name, layer in rounded.named_modules()}
    small = {name for name, kind in kinds.items() if kind == "NarrowInt8Linear"}
    layers = [name for name, layer in clip.towers.named_modules() if type(layer) is nn.Linear]
    assert small == {name for name in layers if name.startswith("vision_model.encoder.")}
    assert "visual_projection" in set(layers) - small
    assert clip.rounded("int8").frames_at_once < clip.rounded("bfloat16").frames_at_once
    assert rounded.text_model is clip.towers.text_model
    assert rounded.vision_model.embeddings is clip.towers.vision_model.embeddings


def test_frames_in_int8_do_not_depend_on_those_beside_them(clip: Clip) -> None:
    side, rounded = clip.pixels.size, clip.rounded("int8")
    frames = torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8)
    with torch.inference_mode():
        together = rounded.encode_frames(frames)
        for frame, vector in zip(frames, together, strict=True):
            torch.testing.assert_close(rounded.encode_frames(frame[None])[0], vector)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_a_library_settles_it_before_the_environment(
    clip: Clip, monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    monkeypatch.setenv(VARIABLE, precision)
    assert in_precision(clip, "float32", some_pictures).model is clip
    assert in_precision(clip, None, some_pictures).precision == precision
    monkeypatch.setenv(VARIABLE, "float32")
    assert in_precision(clip, precision, some_pictures).precision == precision
    assert in_precision(clip, None, some_pictures).precision == "float32"


def test_a_small_model_is_not_asked_for_its_speed(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    chosen = in_precision(clip, None, some_pictures)
    assert (chosen.model, chosen.precision, chosen.said) == (clip, "float32", "")


def test_what_is_measured_to_be_faster_is_said(wide: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "auto")
    chosen = in_precision(wide, None, some_pictures)  # which it is depends on the processor
    if chosen.precision == "float32":
        assert chosen.model is wide
        assert not chosen.said
    else:
        assert chosen.said.startswith(f"clip reads frames in {chosen.precision}, ")
        assert "times as fast as float32 here (cosine " in chosen.said
        assert chosen.said.endswith("; REELTUNE_PRECISION=float32 makes a library without it")


@pytest.mark.skipif(not multiplies_exactly(), reason="oneDNN has no product of int8 here")
def test_the_fastest_form_that_is_near_enough_is_taken(
    wide: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "auto")
    monkeypatch.setattr(wide, "roundings", ("int8",))  # bfloat16 may be faster still
    for faster, alike, wanted in (
        (0.0, 0.999, "int8"),
        (0.0, 1.01, "float32"),  # no cosine is so near
        (1000.0, 0.999, "float32"),
    ):
        monkeypatch.setattr(precision_module, "FASTER", faster)
        monkeypatch.setattr(precision_module, "ALIKE", alike)
        chosen = in_precision(wide, None, some_pictures)
        assert chosen.precision == wanted
        assert (chosen.model is wide) is (wanted == "float32")
        assert bool(chosen.said) is (wanted != "float32")


@pytest.mark.skipif(not multiplies_exactly(), reason="oneDNN has no product of int8 here")
def test_weights_that_int8_ruins_are_left_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "auto")
    monkeypatch.setattr(precision_module, "FASTER", 0.0)
    ruined = Config.tiny().model_copy(update={"vision": SLOW, "image": 128}).build()
    ruined.requires_grad_(False)
    for layer in ruined.towers.vision_model.encoder.layers:  # nearly all of a row is one channel
        attention, before, after = layer.self_attn, layer.layer_norm1, layer.layer_norm2
        for norm, reads in ((before, attention.v_proj), (after, layer.mlp.fc1)):
            norm.weight[0] *= 1000
            norm.bias[0] = 1000
            reads.weight[:, 0] = 0
    monkeypatch.setattr(ruined, "roundings", ("int8",))
    assert in_precision(ruined, None, some_pictures).precision == "float32"


def test_messages_say_what_to_do(clip: Clip, lite: Lite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "half")
    with pytest.raises(ConfigError, match=r"^REELTUNE_PRECISION is 'half', and it may be auto, "):
        in_precision(clip, None, some_pictures)
    with pytest.raises(ConfigError, match=r"^frames are to be read in bfloat16, and vop has no "):
        in_precision(Vop.tiny().build(), "bfloat16", some_pictures)
    with pytest.raises(ConfigError, match=r"^frames are to be read in int8, and lite has no such "):
        in_precision(lite, "int8", some_pictures)
    said = slow("lite", "bfloat16")
    assert said.startswith("lite reads frames in bfloat16, as when the library was made")
    assert said.endswith("float32: reeltune library reindex LIBRARY --model lite")


def test_tests_do_not_depend_on_the_processor() -> None:
    assert os.environ[VARIABLE] == "float32"
