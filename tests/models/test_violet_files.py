"""Violet on disk: the released checkpoint with a report of its keys, and folders of our own."""

import json
from pathlib import Path

import pytest
import torch
from released_violet import Size, released_file, released_keys
from small_violet import clips
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import CheckpointError
from reeltune.models._violet import released
from reeltune.models.opening.material import Material
from reeltune.models.violet import Config, convert, load
from reeltune.types import Pair, Split

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = Size(
    first=16,
    depths=(1, 2),
    heads=(2, 2),
    window=(8, 2, 2),
    places=17,
    frames=8,
    words=193,
    positions=64,
    layers=1,
    codes=32,
)
MADE = {"relative_position_index", "position_ids"}
TWICE = "fc_mtm.predictions.decoder.bias"


def weights() -> set[str]:
    """Keys of the small release that hold weights, each once."""
    return {n for n in released_keys(SMALL) if n.rpartition(".")[2] not in MADE} - {TWICE}


def test_the_network_has_the_true_keys_and_shapes_of_the_release() -> None:
    with torch.device("meta"):
        network = Config(vocabulary="bert").build().network
    ours = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    theirs = {n: s for n, s in released_keys().items() if n.rpartition(".")[2] not in MADE}
    assert theirs.pop(TWICE) == (30522,)
    assert ours.pop("codebook.centres") == (8192, 192)
    assert ours == theirs
    assert sum(torch.Size(shape).numel() for shape in theirs.values()) == 197_577_489


def test_a_released_file_becomes_a_folder_and_every_key_is_accounted_for(tmp_path: Path) -> None:
    path, state = released_file(tmp_path, SMALL)
    report = convert(path, tmp_path / "model", Config.tiny())
    assert set(report.loaded) == weights()
    assert report.missing == ("codebook.centres",)
    assert report.unexpected == ()
    assert report.tied == (TWICE,)
    assert report.renamed == ()
    model = load(tmp_path / "model", "cpu")
    for name in weights():
        assert model.network.state_dict()[name].equal(state[name]), name
    found = model.align(model.read_text(model.tokenize(["a"])), model.read_video(*clips(model)))
    assert found.isfinite().all()


def test_what_a_file_lacks_and_what_it_has_beside_are_named(tmp_path: Path) -> None:
    path, state = released_file(tmp_path, SMALL)
    del state["enc_img.norm.weight"], state["fc_mtm.predictions.bias"]
    state["module.fc.3.bias"] = state.pop("fc.3.bias")  # of training on several GPUs
    torch.save({**state, "fc_more.weight": torch.ones(1)}, path)
    report = convert(path, tmp_path / "model", Config.tiny())
    assert report.missing == ("enc_img.norm.weight", "codebook.centres")
    assert report.unexpected == ("fc_more.weight",)
    assert "fc_mtm.predictions.bias" in report.loaded, "its other name is in the file"
    assert "fc.3.bias" in report.loaded


@pytest.mark.parametrize(
    ("task", "begun", "anew"),
    [
        ("multiple-choice", ("1.weight", "1.bias", "3.weight", "3.bias"), set()),
        ("open-ended", ("1.weight", "1.bias"), {"fc_oe.3.weight", "fc_oe.3.bias"}),
    ],
)
def test_heads_for_questions_begin_with_that_of_matching(
    task: str, begun: tuple[str, ...], anew: set[str], tmp_path: Path
) -> None:
    path, state = released_file(tmp_path, SMALL)
    head = "fc_mc" if task == "multiple-choice" else "fc_oe"
    answers = () if task == "multiple-choice" else ("up", "down", "left")
    config = Config.tiny().model_copy(update={"task": task, "answers": answers})
    report = convert(path, tmp_path / "model", config)
    assert set(report.renamed) == {f"fc.{part} -> {head}.{part}" for part in begun}
    assert set(report.missing) == {"codebook.centres", *anew}
    assert set(report.loaded) == weights(), "what is renamed is there under its own name too"
    network = load(tmp_path / "model", "cpu").network.state_dict()
    for part in begun:
        assert network[f"{head}.{part}"].equal(state[f"fc.{part}"])


def test_training_from_a_release_says_what_begins_anew(tmp_path: Path) -> None:
    path, state = released_file(tmp_path, SMALL)
    folder = tmp_path / "violet-pretrained"
    convert(path, folder, Config.tiny())
    config = Config.tiny().model_copy(update={"pretrained": folder, "task": "open-ended"})
    pairs = tuple(
        Pair(video=answer, path=tmp_path / answer, caption="where?", answer=answer)
        for answer in ("up", "down")
    )
    material = Material(device="cpu", splits=(Split(pairs=pairs, captions="single"),))
    begun = config.start(material)
    network = begun.model.network.state_dict()
    assert network["fc_oe.1.weight"].equal(state["fc.1.weight"])
    assert network["fc_oe.3.weight"].shape == (2, 64)
    assert network["trsfr.layer.0.output.dense.weight"].equal(
        state["trsfr.layer.0.output.dense.weight"]
    )
    assert not network["fc_mvm.3.weight"].equal(state["fc_mvm.3.weight"]), "of other tokens"
    assert network["fc_mvm.1.weight"].equal(state["fc_mvm.1.weight"])
    assert begun.said[:3] == (
        f"training starts from {folder}: {len(weights()) - 2} weights are its",
        "begun with weights of other heads: fc.1.weight -> fc_oe.1.weight, fc.1.bias -> "
        "fc_oe.1.bias",
        "not in it, and start anew: codebook.centres, fc_mvm.3.bias, fc_mvm.3.weight, "
        "fc_oe.3.bias, fc_oe.3.weight",
    )


def test_guesses_of_tokens_go_on_where_these_are_the_dvaes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltune.models._violet.settings.CODES", 32)
    path, state = released_file(tmp_path, SMALL)
    folder = tmp_path / "violet-pretrained"
    convert(path, folder, Config.tiny())
    (tmp_path / "encoder.pkl").touch()
    config = {"pretrained": folder, "dvae": tmp_path / "encoder.pkl"}
    begun = Config.tiny().model_copy(update=config).start(Material(device="cpu"))
    network = begun.model.network.state_dict()
    assert network["fc_mvm.3.weight"].equal(state["fc_mvm.3.weight"])
    assert begun.said == (f"training starts from {folder}: {len(weights())} weights are its",)


def test_a_folder_to_start_from_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    config = Config.tiny().model_copy(update={"pretrained": tmp_path / "gone"})
    told = r"gone/model.safetensors is not there, .* reeltune convert violet ckpt_violet_pretrain"
    with pytest.raises(CheckpointError, match=told):
        config.start(Material(device="cpu"))


def test_files_that_are_no_release_are_refused(tmp_path: Path) -> None:
    path, state = released_file(tmp_path, SMALL)
    with pytest.raises(
        CheckpointError, match=r"has 1 weight of another shape than the model .*; give"
    ):
        convert(path, tmp_path / "a", Config.tiny().model_copy(update={"frames": 4}))
    torch.save({"bert.weight": torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match=r"has no key of Violet .* ckpt_violet_pretrain.pt"):
        convert(path, tmp_path / "a", Config.tiny())
    torch.save([1], path)
    with pytest.raises(CheckpointError, match=r"holds a list and not weights by name; give a file"):
        released.read(path)
    path.write_bytes(b"no pickle")
    with pytest.raises(CheckpointError, match=r"cannot be read as a state dict of torch"):
        released.read(path)
    assert state


def test_the_command_converts_with_sizes_that_are_given(tmp_path: Path) -> None:
    path, _ = released_file(tmp_path, SMALL)
    sizes = {
        name: value
        for name, value in Config.tiny().model_dump(mode="json").items()
        if value != Config.model_fields[name].get_default()
    }
    sets = [part for n, v in sizes.items() for part in ("--set", f"config.{n}={json.dumps(v)}")]
    out = tmp_path / "model"
    found = CliRunner().invoke(app, ["convert", "violet", str(path), str(out), *sets, "--json"])
    assert found.exit_code == 0, found.output
    report = json.loads(found.stdout)
    assert set(report["loaded"]) == weights()
    assert report["missing"] == ["codebook.centres"]
    assert load(out, "cpu").config == Config.tiny()
