"""Weights of VoP as they were released for ModelScope give the vectors that their code gives."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_prompts import SMALL, ragged, shake
from torch import Tensor

from oracles.released_vop import (
    State,
    openai_state,
    released_state,
    save,
    text_vector,
    video_vector,
)
from reeltune.errors import CheckpointError, ConfigError
from reeltune.models import clip
from reeltune.models.opening.open import open_model
from reeltune.models.released.vop import convert
from reeltune.models.tuned import Tuned
from reeltune.models.vop import Config, Generic, Text, Vop

pytestmark = pytest.mark.usefixtures("one_thread")
TEXT_HEADS, VIDEO_HEADS = 3, 2
PREFIX, SUFFIX = 2, 3
# From nothing to more than fits into 24 positions beside 5 prompts; letter by letter they are read
# at padding, at a prompt of the suffix, and, where they fill the context or are cut, at their end.
TEXTS = [
    "",
    "rain",
    "two dogs",
    "sixteen men run up",
    "seventeen men run so",
    "a man plays guitar on",
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> clip.Clip:
    """A small CLIP whose `name` is the folder it lies in."""
    folder = tmp_path_factory.mktemp("clip")
    made = SMALL.build()
    shake(made)
    made.save_pretrained(folder)
    made.name = str(folder)
    return made


def prompted_state(base: clip.Clip) -> dict[str, Tensor]:
    source = torch.Generator().manual_seed(3)
    text = torch.randn(SMALL.text.layers, PREFIX + SUFFIX, SMALL.text.width, generator=source)
    video = torch.randn(SMALL.vision.layers, 4, SMALL.vision.width, generator=source)
    return released_state(base, text, video)


def ids_of(model: Vop | Tuned, text: str) -> list[int]:
    read = model.tokenize([text])
    return read.ids[0, : int(read.mask.sum())].tolist()


@torch.no_grad()
def require_parity(model: Vop | Tuned, state: State, base: clip.Clip) -> None:
    """Vectors of texts in one batch and of ragged videos, and their scores."""
    assert {len(ids_of(model, text)) for text in TEXTS} >= {2, 6, 17, 19}
    texts = torch.stack([text_vector(state, ids_of(model, t), PREFIX, TEXT_HEADS) for t in TEXTS])
    frames, mask = ragged(3, 1, 2)  # frames of each video
    clips = [base.normalize(some[real]) for some, real in zip(frames, mask, strict=True)]
    videos = torch.stack([video_vector(state, one, VIDEO_HEADS) for one in clips])
    ours = model.encode_text(model.tokenize(TEXTS)), model.encode_video(frames, mask)
    torch.testing.assert_close(ours[0], texts, atol=2e-6, rtol=0)
    torch.testing.assert_close(ours[1], videos, atol=2e-6, rtol=0)
    torch.testing.assert_close(model.similarity(*ours), texts @ videos.T, atol=5e-6, rtol=0)
    assert videos.norm(dim=1).min() < 0.999, "a mean of frames that differ is shorter than 1"


def test_prompts_give_the_released_vectors(base: clip.Clip, tmp_path: Path) -> None:
    state = prompted_state(base)
    found = convert(save(tmp_path / "VoP_msrvtt9k.pth", state), base.name, PREFIX)
    require_parity(found.model, state, base)
    found.model.save_pretrained(tmp_path / "ours")
    again = open_model(str(tmp_path / "ours"), "cpu")
    assert isinstance(again, Vop)
    assert again.fingerprint == found.model.fingerprint
    require_parity(again, state, base)


def test_the_released_readout_is_not_the_papers(base: clip.Clip, tmp_path: Path) -> None:
    state = prompted_state(base)
    model = convert(save(tmp_path / "v.pth", state), base.name, PREFIX).model
    assert isinstance(model, Vop)
    prompts = (Text(length=PREFIX + SUFFIX), Generic(length=4))
    plain = Vop(Config(base=base.name, prompts=prompts), open_clip(base.name))
    with torch.no_grad():
        for name, weight in plain.trained().items():
            weight.copy_(model.trained()[name])
        ours, theirs = (one.encode_text(one.tokenize(TEXTS)) for one in (model, plain))
    assert plain.fingerprint != model.fingerprint
    assert ((ours * theirs).sum(dim=1) < 0.99).all()


def open_clip(name: str) -> clip.Clip:
    found = open_model(name, "cpu")
    assert isinstance(found, clip.Clip)
    return found


def tuned_bias(state: dict[str, Tensor]) -> list[str]:
    return [name for name in state if name.endswith("bias")]


def tuned_projections(state: dict[str, Tensor]) -> list[str]:
    return ["clip.text_projection", "clip.visual.proj"]


def tuned_last_layers(state: dict[str, Tensor]) -> list[str]:
    last = (f"transformer.resblocks.{tower.layers - 1}." for tower in (SMALL.text, SMALL.vision))
    text, vision = last
    return [n for n in state if n.startswith((f"clip.{text}", f"clip.visual.{vision}"))]


def tuned_everything(state: dict[str, Tensor]) -> list[str]:
    return list(state)


METHODS: dict[str, Callable[[dict[str, Tensor]], list[str]]] = {
    "bias": tuned_bias,
    "proj": tuned_projections,
    "partial": tuned_last_layers,
    "full": tuned_everything,
}


@pytest.mark.parametrize("method", METHODS)
def test_what_other_methods_tuned_is_found_and_gives_the_released_vectors(
    base: clip.Clip, tmp_path: Path, method: str
) -> None:
    state = {f"clip.{name}": weight for name, weight in openai_state(base).items()}
    source = torch.Generator().manual_seed(4)
    names = METHODS[method](state)
    for name in names:
        state[name] = state[name] + 0.1 * torch.randn(state[name].shape, generator=source)
    found = convert(save(tmp_path / "VoPSE_msrvtt9k.pth", state), base.name)
    assert found.facts() == {"method": method}
    assert set(found.report.loaded) == set(names)
    assert set(found.report.as_base) == state.keys() - set(names)
    require_parity(found.model, state, base)
    found.model.save_pretrained(tmp_path / "ours")
    again = open_model(str(tmp_path / "ours"), "cpu")
    assert isinstance(again, Tuned)
    require_parity(again, state, base)


def test_every_key_is_told(base: clip.Clip, tmp_path: Path) -> None:
    state = prompted_state(base)
    del state["clip.ln_final.bias"], state["text_encoder.ln_final.bias"]
    state |= {"clip.logit_scale": torch.tensor(3.0), "more.weight": torch.ones(1)}
    report = convert(save(tmp_path / "v.pth", state), base.name, PREFIX).report
    assert report.loaded == tuple(name for name in state if "prompt_learner" in name)[::-1]
    assert report.missing == ("text_model.final_layer_norm.bias",)
    assert (report.unlike, report.unexpected) == (("clip.logit_scale",), ("more.weight",))
    assert set(report.copies) == {n for n in state if n.startswith(("image_enc", "text_enc"))}
    told = [*report.loaded, *report.as_base, *report.copies, *report.unlike, *report.unexpected]
    assert sorted(told) == sorted(state)


def test_how_many_prompts_stand_before_the_words_is_told_or_asked(
    base: clip.Clip, tmp_path: Path
) -> None:
    path = save(tmp_path / "v.pth", prompted_state(base))
    with pytest.raises(ConfigError, match=r"has 5 text prompts.*configuration\.json.*--prefix"):
        convert(path, base.name)
    with pytest.raises(ConfigError, match=r"--prefix is 6, and .* has 5 text prompts"):
        convert(path, base.name, 6)
    told = {"tp_prefix_token_num": 2, "tp_suffix_token_num": 3, "num_frames": 8, "topk": 1}
    beside = tmp_path / "configuration.json"
    beside.write_text(json.dumps({"task": "vop-retrieval", "hyperparam": told}))
    found = convert(path, base.name)
    assert found.facts() == {"method": "vop", "prefix": 2, "suffix": 3}
    assert found.model.config.frames == 8
    beside.write_text(json.dumps({"hyperparam": {**told, "pooling_type": "attention"}}))
    with pytest.raises(CheckpointError, match=r"hyperparam\.pooling_type: Input should be 'avg'"):
        convert(path, base.name)
    beside.write_text(json.dumps({"hyperparam": {**told, "input_res": 224}}))
    with pytest.raises(CheckpointError, match=r"has input_res 224, and .* of 16 pixels"):
        convert(path, base.name)


def test_what_does_not_fit_is_named(base: clip.Clip, tmp_path: Path) -> None:
    path, state = tmp_path / "v.pth", prompted_state(base)
    name = "clip.ln_final.weight"
    save(path, {**state, name: state[name] + 1, "text_encoder.ln_final.weight": state[name] + 1})
    with pytest.raises(
        CheckpointError,
        match=r"another CLIP than --base .*, which differs in 1 weight, such as text_model",
    ):
        convert(path, base.name, PREFIX)
    save(path, {**state, "text_encoder.ln_final.weight": state[name] + 1})
    with pytest.raises(CheckpointError, match=r"two values for one weight, in clip\.ln_final"):
        convert(path, base.name, PREFIX)
    save(path, {**state, name: torch.ones(3)})
    with pytest.raises(CheckpointError, match=r"final_layer_norm\.weight \(3,\), and --base"):
        convert(path, base.name, PREFIX)
    video = "visual_prompt_learner.visual_prompts"
    save(path, {key: tensor for key, tensor in state.items() if key != video})
    with pytest.raises(CheckpointError, match=r"without the prompts of the other tower"):
        convert(path, base.name, PREFIX)
    save(path, {**state, video: state[video][:1]})
    with pytest.raises(CheckpointError, match=r"prompts \(1, 4, 16\), and --base .* \(4, 4, 16\)"):
        convert(path, base.name, PREFIX)
    save(path, {**state, video: state[video] * float("nan")})
    with pytest.raises(CheckpointError, match=r"visual_prompts has .* numbers that are not finite"):
        convert(path, base.name, PREFIX)
    save(path, {key: tensor for key, tensor in state.items() if key.startswith("clip.")})
    with pytest.raises(CheckpointError, match=r"and no others, so nothing was tuned"):
        convert(path, base.name)
    save(path, {"weight": torch.ones(1)})
    with pytest.raises(CheckpointError, match=r"neither prompts nor weights of a CLIP"):
        convert(path, base.name)


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the weights ran code')",)


def test_files_that_are_no_release_are_told(base: clip.Clip, tmp_path: Path) -> None:
    path = tmp_path / "v.pth"
    torch.save({"state_dict": Harmful()}, path)
    with pytest.raises(CheckpointError, match=r"cannot be read as released weights of VoP"):
        convert(path, base.name)
    torch.save({"state_dict": {1: torch.ones(1)}}, path)
    with pytest.raises(CheckpointError, match=r"holds no weights under 'state_dict'"):
        convert(path, base.name)
    siglip = clip.Config.tiny().model_copy(update={"family": "siglip", "dim": 16}).build()
    siglip.save_pretrained(tmp_path / "siglip")
    save(path, prompted_state(base))
    with pytest.raises(ConfigError, match=r"siglip is a siglip, and VoP was trained in a CLIP"):
        convert(path, str(tmp_path / "siglip"))
    torch.save({"weights": {}}, path)
    with pytest.raises(CheckpointError, match=r"holds no weights under 'state_dict'"):
        convert(path, base.name)


def test_prompts_behind_the_words_are_computed_for_a_release_alone() -> None:
    with pytest.raises(ConfigError, match=r"suffix is 2.*compat=modelscope alone"):
        Config(base=None, architecture=SMALL, suffix=2).build()
    with pytest.raises(ConfigError, match=r"suffix is 9.*no more than all"):
        Config(base=None, architecture=SMALL, suffix=9, compat="modelscope").build()
