"""What is stored of a tuned CLIP, and that it opens only on the CLIP it belongs to."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from small_prompts import FRAMES, SMALL, TEXTS, VARIANTS, ragged, shake

from reeltune.errors import CheckpointError, ConfigError, ReeltuneError
from reeltune.models import clip, tuned, vop
from reeltune.models._adapter import ADAPTER, open_base, save_adapter
from reeltune.models.opening.material import Material
from reeltune.models.opening.open import open_model
from reeltune.models.opening.weights import CARD
from reeltune.runs.describe import describe

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A small CLIP in a folder."""
    return saved_clip(tmp_path / "clip", seed=0)


def saved_clip(folder: Path, seed: int) -> Path:
    model = SMALL.build()
    shake(model, seed)
    model.save_pretrained(folder)
    return folder


def trained(base: Path, variant: str = "F+C") -> vop.Vop:
    """Prompts of a size that shows, on the CLIP in `base`."""
    config = vop.Config(base=str(base), prompts=VARIANTS[variant], frames=FRAMES)
    model = config.start(Material(device="cpu")).model.eval()
    shake(model.text)
    shake(model.video)
    return model


@pytest.fixture
def stored(base: Path, tmp_path: Path) -> Path:
    """Prompts in a folder of their own."""
    trained(base).save_pretrained(tmp_path / "vop")
    return tmp_path / "vop"


@pytest.mark.parametrize("variant", VARIANTS)
def test_prompts_open_again_as_they_were(variant: str, base: Path, tmp_path: Path) -> None:
    model = trained(base, variant)
    model.save_pretrained(tmp_path / "vop")
    assert sorted(path.name for path in (tmp_path / "vop").iterdir()) == [ADAPTER, CARD]
    assert load_file(tmp_path / "vop" / ADAPTER).keys() == model.trained().keys()
    again = open_model(str(tmp_path / "vop"), device="cpu")
    pinned = model.config.model_copy(update={"base_fingerprint": model.clip.fingerprint})
    assert again.config == pinned
    assert again.fingerprint == model.fingerprint
    tokens = model.tokenize(TEXTS)
    assert torch.equal(again.encode_text(tokens), model.encode_text(tokens))
    frames, mask = ragged(4, 1, 3)
    assert torch.equal(again.encode_video(frames, mask), model.encode_video(frames, mask))


def test_prompts_open_in_bfloat16_with_the_same_fingerprint(stored: Path) -> None:
    whole, half = (open_model(str(stored), "cpu", dtype) for dtype in ("fp32", "bf16"))
    assert half.fingerprint == whole.fingerprint
    assert half.clip.towers.dtype == torch.bfloat16
    frames, mask = ragged(4, 2)
    close = (half.encode_video(frames, mask) * whole.encode_video(frames, mask)).sum(dim=1)
    assert close.min() > 0.99


def test_a_model_that_is_opened_asks_for_no_gradient_and_can_be_trained_on(stored: Path) -> None:
    opened = open_model(str(stored), device="cpu")
    assert not any(weight.requires_grad for weight in opened.parameters())
    with torch.inference_mode():
        again = vop.load(stored, "cpu")
    assert {name for name, w in again.named_parameters() if w.requires_grad} == set(again.trained())
    frames, mask = ragged(2, 2)
    again.encode_video(frames, mask).sum().backward()


@pytest.mark.parametrize(("variant", "count"), [("VoP", 122_880), ("F", 132_096)])
def test_at_full_size_a_file_holds_the_prompts_and_little_else(
    variant: str, count: int, tmp_path: Path
) -> None:
    parts = (vop.Text(), vop.Generic(), vop.Joint())[: 2 if variant == "VoP" else 3]
    config = vop.Config(prompts=parts)
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in config.build().trained().items()}
    save_adapter(tmp_path, "vop", config, {n: torch.zeros(s) for n, s in shapes.items()}, "0" * 32)
    size = (tmp_path / ADAPTER).stat().st_size
    assert 0 < size - 4 * count < 1000, "a header, beside four bytes per weight"
    assert size < 1_000_000
    assert (tmp_path / CARD).stat().st_size < 2000


def test_a_stored_model_is_described_without_its_weights(stored: Path) -> None:
    expected = sum(weight.numel() for weight in vop.load(stored, "cpu").trained().values())
    (stored / ADAPTER).unlink()
    described = describe(str(stored))
    assert described["trainable"] == expected
    assert described["parts"]["clip"]["trainable"] == 0


def test_a_base_can_be_pinned_before_training(base: Path) -> None:
    mark = clip.load(base).fingerprint
    pinned, material = vop.Config(base=str(base), base_fingerprint=mark), Material(device="cpu")
    assert pinned.start(material).model.clip.fingerprint == mark
    with pytest.raises(CheckpointError, match=r"and base_fingerprint is abc; give the CLIP that"):
        tuned.Config(base=str(base), base_fingerprint="abc").start(material)


def test_a_model_of_random_weights_is_stored_whole(tmp_path: Path) -> None:
    model = vop.Config.tiny().build()
    model.save_pretrained(tmp_path)
    assert load_file(tmp_path / ADAPTER).keys() == dict(model.named_parameters()).keys()
    assert open_model(str(tmp_path), device="cpu").fingerprint == model.fingerprint


@pytest.mark.parametrize("component", [vop, tuned])
def test_another_clip_in_the_place_of_the_base_is_refused(
    component: object, base: Path, tmp_path: Path
) -> None:
    model = component.Config(base=str(base)).start(Material(device="cpu")).model
    model.save_pretrained(tmp_path / "small")
    before = clip.load(base).fingerprint
    after = clip.load(saved_clip(base, seed=1)).fingerprint
    expected = (
        rf"small has lost its base: .*clip has fingerprint {after}, and base_fingerprint is "
        rf"{before}; give the CLIP that has it; set base in .*{CARD} to where"
    )
    with pytest.raises(CheckpointError, match=expected):
        open_model(str(tmp_path / "small"), device="cpu")


def test_one_changed_weight_of_the_base_is_another_base(base: Path, stored: Path) -> None:
    weights = load_file(base / "model.safetensors")
    name = sorted(weights)[0]
    weights[name].view(-1)[0] += 1e-3
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"has lost its base: .* has fingerprint"):
        open_model(str(stored), device="cpu")


def test_a_base_that_has_moved_is_found_again_by_one_line(base: Path, stored: Path) -> None:
    before = vop.load(stored, "cpu").fingerprint
    moved = base.rename(base.with_name("elsewhere"))
    expected = (
        rf"{stored} has lost its base: no model '{base}': there is no such folder.*; "
        rf"set base in {stored / CARD} to where the CLIP is that it was trained on"
    )
    with pytest.raises(CheckpointError, match=expected):
        open_model(str(stored), device="cpu")
    text = (stored / CARD).read_text()
    (stored / CARD).write_text(text.replace(str(base), str(moved)))
    assert open_model(str(stored), device="cpu").fingerprint == before


Change = Callable[[dict[str, torch.Tensor]], object]
CHANGES: dict[str, tuple[Change, str]] = {
    "missing": (lambda t: t.pop("text.table"), r"1 missing \(text\.table\)"),
    "unexpected": (
        lambda t: t.update(other=torch.zeros(2), another=torch.zeros(1)),
        r"2 unexpected \(another, other\)",
    ),
    "misshapen": (
        lambda t: t.update({"text.table": torch.zeros(3, 2, 12)}),
        r"1 of another shape \(text\.table \(3, 2, 12\) for \(3, 3, 12\)\)",
    ),
    "renamed": (
        lambda t: t.update({"text.tables": t.pop("text.table")}),
        r"1 missing \(text\.table\); 1 unexpected \(text\.tables\)",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_tensors_that_do_not_fit_are_named(change: str, stored: Path) -> None:
    do, expected = CHANGES[change]
    tensors = load_file(stored / ADAPTER)
    do(tensors)
    save_file(tensors, stored / ADAPTER)
    expected = rf"{ADAPTER} does not fit its model: {expected}; take weights and configuration"
    with pytest.raises(CheckpointError, match=expected):
        open_model(str(stored), device="cpu")


def test_a_file_that_is_cut_off_or_absent_is_named(stored: Path) -> None:
    path = stored / ADAPTER
    path.write_bytes(path.read_bytes()[:-5])
    expected = rf"{ADAPTER} cannot be read as safetensors .*copy or download it again"
    with pytest.raises(CheckpointError, match=expected):
        open_model(str(stored), device="cpu")
    path.unlink()
    with pytest.raises(CheckpointError, match=expected):
        open_model(str(stored), device="cpu")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("frames", 0, r"frames wrong for vop \(Input should be greater than 0\)"),
        ("frame", 3, r"frame wrong for vop \(there is none of that name\)"),
        ("prompts", [{"kind": "imaginary"}], r"prompts\.0 wrong for vop \(Input tag 'imaginary'"),
        ("prompts", [{"kind": "text", "length": -1}], r"prompts\.0\.text\.length wrong"),
    ],
    ids=["of no size", "unknown", "of no kind", "negative"],
)
def test_a_card_that_makes_no_sense_is_refused_by_its_field(
    field: str, value: object, expected: str, stored: Path
) -> None:
    card = yaml.safe_load((stored / CARD).read_text())
    card["config"][field] = value
    (stored / CARD).write_text(yaml.safe_dump(card))
    with pytest.raises(CheckpointError, match=rf"{CARD} has {expected}.*same place as the weights"):
        open_model(str(stored), device="cpu")


def test_a_card_without_the_fingerprint_opens_on_no_base(stored: Path) -> None:
    card = yaml.safe_load((stored / CARD).read_text())
    del card["config"]["base_fingerprint"]
    (stored / CARD).write_text(yaml.safe_dump(card))
    with pytest.raises(CheckpointError, match=rf"{CARD} has no base_fingerprint.*same place"):
        open_model(str(stored), device="cpu")


def test_only_a_clip_is_a_base() -> None:
    with pytest.raises(ConfigError, match=r"lite is no CLIP, and prompts.*give a CLIP folder, a"):
        open_base("lite", "cpu")
    with pytest.raises(ReeltuneError, match=r"no model 'nowhere/at/all'"):
        open_base("nowhere/at/all", "cpu")
    with pytest.raises(CheckpointError, match=r"no weights of its own; give the folder that train"):
        open_model("vop")


def test_the_architecture_of_a_base_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    config = vop.Config(base=str(tmp_path / "nothing"))
    with pytest.raises(CheckpointError, match=r"nothing' is not known here; give one of openai/"):
        config.build()


def test_a_base_in_a_folder_is_described_without_its_weights(base: Path) -> None:
    (base / "model.safetensors").unlink()
    with torch.device("meta"):
        model = vop.Config(base=str(base), prompts=VARIANTS["VoP"]).build()
    assert sum(weight.numel() for weight in model.trained().values()) == 3 * 3 * 12 + 4 * 3 * 16


def test_prompts_stand_on_published_architectures() -> None:
    with torch.device("meta"):
        large = vop.Config(base="openai/clip-vit-large-patch14", prompts=(vop.Joint(),)).build()
    assert large.video.joint.table.shape == (8, 8, 1024)  # the last third of 24 layers
