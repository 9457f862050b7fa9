"""`reeltune prune` on models of the package: what it writes opens again, and what it says is so."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from torch.nn.functional import cosine_similarity
from typer.testing import CliRunner

from reeltune.cli.commands.prune import app
from reeltune.compress.prune import prunable
from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models.opening.open import open_model
from reeltune.models.opening.weights import read_tensors
from reeltune.nn.int8 import Int8Matrix
from reeltune.recipes.read import read_recipe
from reeltune.recipes.stored import stored_recipe
from reeltune.registry import find
from reeltune.runs.place import RunPlace
from reeltune.runs.prune import prune_checkpoint
from reeltune.runs.pruned_files import Amounts

TEXTS = ["rain", "a man plays the guitar"]
WHOLE = ("clip", "lite", "vop", "tuned", "dual-encoding", "univl")


def saved(name: str, folder: Path) -> Path:
    """A tiny model, moved a little away from the zeros that some layers begin with."""
    torch.manual_seed(0)
    model = find("models", name).Config.tiny().build()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.01 * torch.randn_like(weight)
        for key, buffer in model.named_buffers():
            if "running_" in key:
                buffer += 0.01 * torch.rand_like(buffer)
    model.save_pretrained(folder)
    return folder


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.safetensors"))


@pytest.mark.parametrize("name", WHOLE)
def test_a_pruned_model_opens_and_is_the_masked_one(name: str, tmp_path: Path) -> None:
    source, out = saved(name, tmp_path / "dense"), tmp_path / "small"
    found = prune_checkpoint(str(source), Amounts(weights=0.5), RunPlace(out=out), repeats=2)
    assert all(file.endswith(".packed.safetensors") for file in files_of(out))
    model, dense = open_model(str(out), "cpu"), open_model(str(source), "cpu")
    tensors = {k: t for p in out.glob("*.safetensors") for k, t in read_tensors(p_dense(p)).items()}
    stored = {k: t for p in source.glob("*.safetensors") for k, t in read_tensors(p).items()}
    assert tensors.keys() == stored.keys()
    gone = sum(int(((tensors[k] == 0) & (stored[k] != 0)).sum()) for k in tensors)
    assert gone == found.census.zeros == round(0.5 * found.census.prunable)
    for key, tensor in tensors.items():
        kept = tensor != 0
        assert torch.equal(tensor[kept], stored[key][kept]), "what is left is as it was"
    assert model.encode_text(model.tokenize(TEXTS)).shape == (2, dense.dim)
    assert model.fingerprint != dense.fingerprint


def p_dense(packed: Path) -> Path:
    """The name by which a model asks for its weights."""
    return packed.with_name(packed.name.replace(".packed", ""))


def test_amount_zero_changes_nothing(tmp_path: Path) -> None:
    source, out = saved("clip", tmp_path / "dense"), tmp_path / "small"
    prune_checkpoint(str(source), Amounts(weights=0.0), RunPlace(out=out), repeats=2)
    model, dense = open_model(str(out), "cpu"), open_model(str(source), "cpu")
    assert model.fingerprint == dense.fingerprint
    tokens = model.tokenize(TEXTS)
    assert torch.equal(model.encode_text(tokens), dense.encode_text(tokens))


def test_units_are_taken_out_of_dual_encoding(tmp_path: Path) -> None:
    source, out = saved("dual-encoding", tmp_path / "dense"), tmp_path / "small"
    amounts = Amounts(weights=0.3, units=0.5)
    found = prune_checkpoint(str(source), amounts, RunPlace(out=out), repeats=2)
    model, dense = open_model(str(out), "cpu"), open_model(str(source), "cpu")
    assert (model.config.hidden, model.config.filters) == (3, 2)
    assert found.census.parameters == sum(w.numel() for w in model.parameters())
    assert found.census.parameters < sum(w.numel() for w in dense.parameters())
    vectors = model.encode_text(model.tokenize(TEXTS))
    assert vectors.isfinite().all()
    with pytest.raises(ConfigError, match=r"dual-encoding alone, and this is a Clip.*--units"):
        prune_checkpoint(
            str(saved("clip", tmp_path / "clip")), Amounts(units=0.5), RunPlace(out=tmp_path / "x")
        )


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "lite"])
def test_int8_opens_with_int8_layers_on_a_cpu(name: str, tmp_path: Path) -> None:
    source, out = saved(name, tmp_path / "dense"), tmp_path / "fast"
    found = prune_checkpoint(
        str(source), Amounts(weights=0.0, values="int8"), RunPlace(out=out), repeats=2
    )
    dense_row, small_row = found.comparison.rows
    assert small_row.size < dense_row.size
    model, dense = open_model(str(out), "cpu"), open_model(str(source), "cpu")
    assert any(isinstance(part, Int8Matrix) for part in model.modules())  # type: ignore[attr-defined]
    near = cosine_similarity(*(m.encode_text(m.tokenize(TEXTS)).float() for m in (model, dense)))
    assert near.min() > 0.98
    assert model.fingerprint != dense.fingerprint
    with pytest.raises(ConfigError, match="in int8 already; prune the model that it was made of"):
        prune_checkpoint(str(out), Amounts(), RunPlace(out=tmp_path / "again"))


def test_other_precisions_open_int8_checkpoints_as_floats(tmp_path: Path) -> None:
    source, out = saved("clip", tmp_path / "dense"), tmp_path / "fast"
    prune_checkpoint(str(source), Amounts(weights=0.0, values="int8"), RunPlace(out=out), repeats=2)
    half = open_model(str(out), "cpu", "bfloat16")
    assert not any(isinstance(part, Int8Matrix) for part in half.modules())  # type: ignore[attr-defined]


def test_int8_is_for_models_that_are_stored_whole(tmp_path: Path) -> None:
    source = saved("lite", tmp_path / "dense")
    with pytest.raises(ConfigError, match=r"that its checkpoint does not store.*leave --int8 out"):
        prune_checkpoint(str(source), Amounts(values="int8"), RunPlace(out=tmp_path / "fast"))


def test_one_rounding_alone(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["lite", "--bf16", "--int8", "--out", str(tmp_path / "x")])
    assert "--bf16 and --int8 both say how weights are rounded" in str(found.exception)


def test_bfloat16_rounds_weights_and_spares_statistics(tmp_path: Path) -> None:
    source, out = saved("dual-encoding", tmp_path / "dense"), tmp_path / "small"
    amounts = Amounts(weights=0.36, values="bfloat16")
    found = prune_checkpoint(str(source), amounts, RunPlace(out=out), repeats=2)
    assert found.comparison.as_dict()[1]["size_ratio"] < 0.75, "headers weigh at this size"
    model, dense = open_model(str(out), "cpu"), open_model(str(source), "cpu")
    for name, weight in model.named_parameters():
        assert torch.equal(weight, weight.bfloat16().float()), name
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, dense.get_buffer(name)), name


def test_the_command_measures_accuracy_where_it_knows_the_data(
    toybox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    source, out = saved("clip", tmp_path / "dense"), tmp_path / "small"
    recipe = read_recipe("toybox/zero-shot", {"options.size": "tiny", "frames": 2})
    (source / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    arguments = [str(source), "--out", str(out), "--amount", "0.9", "--data", str(toybox)]
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    dense, pruned = json.loads(done.stdout)["rows"]
    assert (dense["name"], pruned["name"]) == ("before", "after")
    assert pruned["nonzero_ratio"] < dense["nonzero_ratio"] == 1
    assert pruned["time_ratio"] > 0
    assert set(dense["accuracy"]) == {"t2v R@1", "t2v R@5", "t2v R@10", "SumR, both ways"}
    kept = json.loads((out / "metrics.json").read_text())
    assert kept["t2v"]["R@10"] == pruned["accuracy"]["t2v R@10"]
    assert stored_recipe(out) == recipe


def test_the_table_is_for_people(tmp_path: Path) -> None:
    source = saved("dual-encoding", tmp_path / "dense")
    out = tmp_path / "small"
    done = CliRunner().invoke(app, [str(source), "--out", str(out)], catch_exceptions=False)
    assert "| before |" in done.stdout
    assert "| after |" in done.stdout
    weights = prunable(open_model(str(source), "cpu"))
    count = sum(weight.numel() for weight in weights.values())
    assert f"{round(0.36 * count):,} of {count:,} weights are zero" in done.stdout


def test_what_cannot_be_pruned_is_refused(tmp_path: Path) -> None:
    source = saved("clip", tmp_path / "dense")
    place = RunPlace(out=tmp_path / "new", data=tmp_path)
    with pytest.raises(
        ConfigError, match=r"dense has no recipe\.yaml, so nothing is measured and -"
    ):
        prune_checkpoint(str(source), Amounts(weights=0.5), place)
    with pytest.raises(ConfigError, match=r"is the checkpoint itself; give another folder"):
        prune_checkpoint(str(source), Amounts(), RunPlace(out=source))
    with pytest.raises(ConfigError, match=r"is not empty; give a new folder"):
        prune_checkpoint(str(source), Amounts(), RunPlace(out=tmp_path))
    with pytest.raises(ConfigError, match=r"lite-zero has no weights of its own|stores no linear"):
        prune_checkpoint("lite-zero", Amounts(), RunPlace(out=tmp_path / "zero"))
    (source / "recipe.yaml").write_text("- 1")
    with pytest.raises(CheckpointError, match=r"recipe\.yaml is no recipe.*remove it to use"):
        prune_checkpoint(str(source), Amounts(), RunPlace(out=tmp_path / "x"), repeats=2)


def test_a_refused_prune_leaves_its_folder_free_for_the_mended_command(tmp_path: Path) -> None:
    source, out = saved("clip", tmp_path / "dense"), tmp_path / "small"
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(
        ConfigError, match=r"share of weights to prune is 36, .* give 0\.36 for 36 %"
    ):
        prune_checkpoint(str(source), Amounts(weights=36.0), RunPlace(out=out))
    with pytest.raises(ConfigError, match=r"dual-encoding alone"):
        prune_checkpoint(str(source), Amounts(units=0.5), RunPlace(out=out))
    (source / "recipe.yaml").write_text(
        yaml.safe_dump(read_recipe("msrvtt-9k/zero-shot").model_dump(mode="json"))
    )
    with pytest.raises(DataError):  # its data are not there
        prune_checkpoint(str(source), Amounts(), RunPlace(out=out, data=tmp_path / "none"))
    (source / "recipe.yaml").unlink()
    assert sorted(tmp_path.rglob("*")) == before
    prune_checkpoint(str(source), Amounts(), RunPlace(out=out), repeats=2)
    assert files_of(out) == ["model.packed.safetensors"]


def test_zeros_of_a_model_that_was_pruned_before_are_counted(tmp_path: Path) -> None:
    source, once, twice = saved("clip", tmp_path / "dense"), tmp_path / "once", tmp_path / "twice"
    first = prune_checkpoint(str(source), Amounts(weights=0.5), RunPlace(out=once), repeats=1)
    again = prune_checkpoint(str(once), Amounts(weights=0.3), RunPlace(out=twice), repeats=1)
    assert again.census == first.census, "the smallest 30 % were zero already"
    before, after = again.comparison.rows
    assert before.nonzeros == after.nonzeros == first.census.nonzeros
