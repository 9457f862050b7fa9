"""UniVL on disk: released checkpoints with a report of their keys, and folders of our own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_univl import TEXTS, small, videos
from torch import Tensor

from reeltune.errors import CheckpointError
from reeltune.models.opening.material import Material
from reeltune.models.univl import RELEASE, Config, convert, load

TIED = {
    "decoder.embeddings.word_embeddings.weight",
    "decoder.embeddings.position_embeddings.weight",
    "decoder.classifier.cls.predictions.decoder.weight",
    "cls.predictions.decoder.weight",
    "cls_visual.predictions.weight",
}
pytestmark = pytest.mark.usefixtures("one_thread")


def released(folder: Path, **changes: object) -> Path:
    """A file as torch writes it, of another model than a test fills."""
    state = dict(small().float().network.state_dict())
    for name, value in changes.items():
        if value is None:
            state.pop(name)
        else:
            state[name] = value  # type: ignore[assignment]
    path = folder / "univl.pretrained.bin"
    torch.save(state, path)
    return path


def settings() -> Config:
    return small().config


def test_a_released_file_becomes_a_folder_and_every_key_is_accounted_for(tmp_path: Path) -> None:
    report = convert(released(tmp_path), tmp_path / "model", settings())
    names = small().network.state_dict().keys()
    assert set(report.loaded) == set(names)
    assert report.missing == report.unexpected == ()
    assert set(report.tied) == TIED
    counts = "0 missing, 0 unexpected, 5 tied, 0 renamed, 0 interpolated, 0 skipped"
    assert str(report) == f"{len(names)} loaded, {counts}"
    model = load(tmp_path / "model", "cpu")
    features, mask = (part.float() if part.is_floating_point() else part for part in videos())
    expected = small().float().encode_video(features, mask)
    torch.testing.assert_close(model.encode_video(features, mask), expected)
    started = settings().model_copy(update={"pretrained": tmp_path / "model"})
    begun = started.start(Material(device="cpu")).model
    assert begun.fingerprint == model.fingerprint


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda weight: weight * float("nan"), "has 16 numbers that are not finite; download"),
        (lambda weight: weight / 0.0, "numbers that are not finite; download the file again"),
        (lambda weight: weight.long(), "is of int64, and wanted are floats; download the file"),
        (lambda weight: weight.cfloat(), "is of complex64, and wanted are floats; download"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(
    tmp_path: Path, change: Callable[[Tensor], Tensor], fault: str
) -> None:
    name = "bert.encoder.layer.0.attention.self.query.bias"
    weight = torch.ones_like(small().float().network.state_dict()[name])
    path = released(tmp_path, **{name: change(weight), "of_no_use": torch.ones(2).long()})
    with pytest.raises(CheckpointError, match=rf"univl\.pretrained\.bin: {name} .*{fault}"):
        convert(path, tmp_path / "model", settings())
    assert not (tmp_path / "model").exists()


def test_a_weight_under_an_old_and_a_new_name_has_one_value(tmp_path: Path) -> None:
    name = "bert.pooler.dense.bias"
    weight = small().float().network.state_dict()[name]
    same = released(tmp_path, **{name: weight, f"module.{name}": weight.clone()})
    assert name in convert(same, tmp_path / "model", settings()).loaded
    other = released(tmp_path, **{name: weight, f"module.{name}": weight + 1})
    with pytest.raises(CheckpointError, match=rf"two values for one weight, {name}, of which one"):
        convert(other, tmp_path / "again", settings())


def test_old_names_of_layer_norms_are_known(tmp_path: Path) -> None:
    state = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): weight
        for name, weight in small().network.state_dict().items()
    }
    torch.save(state, tmp_path / "old.bin")
    report = RELEASE.fill(small().network, RELEASE.read(tmp_path / "old.bin"), tmp_path / "old.bin")
    assert report.missing == report.unexpected == ()


def test_missing_and_unexpected_keys_are_named(tmp_path: Path) -> None:
    changes = {"similarity_dense.bias": None, "head.of.another": torch.zeros(2)}
    path = released(tmp_path, **changes)
    network = small().network
    before = network.similarity_dense.bias.clone()
    report = RELEASE.fill(network, RELEASE.read(path), path)
    assert report.missing == ("similarity_dense.bias",)
    assert report.unexpected == ("head.of.another",)
    assert "missing: similarity_dense.bias" in str(report)
    assert torch.equal(network.similarity_dense.bias, before)


def test_a_tied_weight_is_filled_from_any_of_its_names_and_must_agree(tmp_path: Path) -> None:
    path = released(tmp_path, **dict.fromkeys(TIED))
    report = RELEASE.fill(small().network, RELEASE.read(path), path)
    assert report.missing == ()
    words = "bert.embeddings.word_embeddings.weight"
    path = released(tmp_path, **{words: None, "cls.predictions.decoder.weight": None})
    assert RELEASE.fill(small().network, RELEASE.read(path), path).missing == ()
    shape = small().network.bert.embeddings.word_embeddings.weight.shape
    path = released(tmp_path, **{"cls.predictions.decoder.weight": torch.ones(shape)})
    with pytest.raises(CheckpointError, match=r"two values for one tied weight.*cls\.predictions"):
        RELEASE.fill(small().network, RELEASE.read(path), path)


@pytest.mark.parametrize("under", ["state_dict", "model"])
def test_weights_that_stand_beside_the_state_of_a_training_are_found(
    tmp_path: Path, under: str
) -> None:
    state = {f"module.{name}": weight for name, weight in small().network.state_dict().items()}
    torch.save({under: state, "epoch": 3}, tmp_path / "training.pt")
    given = RELEASE.read(tmp_path / "training.pt")
    assert given.keys() == small().network.state_dict().keys()


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = released(tmp_path, **{"similarity_dense.weight": torch.zeros(1, 3)})
    with pytest.raises(CheckpointError, match=r"similarity_dense.weight \(1, 3\) for \(1, 16\)"):
        convert(path, tmp_path / "model", settings())
    torch.save({"other": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"no key of UniVL \(its first is 'other'\)"):
        convert(path, tmp_path / "model", settings())
    torch.save([torch.zeros(1)], path)
    with pytest.raises(CheckpointError, match=r"holds a list and not weights by name"):
        convert(path, tmp_path / "model", settings())
    path.write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match=r"cannot be read as a state dict of torch"):
        convert(path, tmp_path / "model", settings())


def test_a_file_that_would_run_code_is_refused_and_does_not_run_it(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"x": Evil()}, tmp_path / "evil.bin")
    with pytest.raises(CheckpointError, match=r"cannot be read as a state dict"):
        RELEASE.read(tmp_path / "evil.bin")
    assert not (tmp_path / "ran").exists()


def test_a_folder_keeps_settings_words_and_fingerprint(tmp_path: Path) -> None:
    model = Config.tiny().build()
    model.save_pretrained(tmp_path)
    again = load(tmp_path, "cpu")
    assert again.fingerprint == model.fingerprint
    assert again.config.encoder_fingerprint is not None
    assert torch.equal(again.tokenize(TEXTS).ids, model.tokenize(TEXTS).ids)
    half = load(tmp_path, "cpu", "bf16")
    assert half.fingerprint == model.fingerprint
    assert half.encode_text(half.tokenize(TEXTS)).dtype == torch.float32
    (tmp_path / "config.yaml").write_text("model: univl\nconfig: {width: -1}\n")
    with pytest.raises(CheckpointError, match=r"config.yaml has width wrong"):
        load(tmp_path, "cpu")
