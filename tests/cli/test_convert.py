"""`reeltune convert`: files of other releases, as a person turns them into ours."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from typer.testing import CliRunner

from oracles.released_alpro import random_weights, shapes_of, write
from oracles.released_dual_encoding import MARKS, Released, pickle_words
from oracles.released_vop import released_state
from oracles.released_vop import save as save_released
from reeltune.cli.app import app
from reeltune.data.youcook2 import Config as YouCook2
from reeltune.features.store import Features
from reeltune.models import all_in_one, alpro, clip, univl
from reeltune.models.opening.open import open_model

SMALL = {
    "width": 32,
    "heads": 2,
    "features": 96,
    "text_layers": 1,
    "video_layers": 1,
    "cross_layers": 1,
    "decoder_layers": 1,
}
WORDS = tuple("abcdefghijk")


def run(*given: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["convert", *map(str, given)])
    return done.exit_code, done.output


def told(*given: object) -> dict[str, Any]:
    code, text = run(*given, "--json")
    assert code == 0, text
    return dict(json.loads(text))


def pickled(path: Path, what: object) -> Path:
    path.write_bytes(pickle.dumps(what))
    return path


def test_features_become_a_folder(tmp_path: Path) -> None:
    rows = {"video0": np.ones((3, 5), np.float32), "video1": np.zeros((2, 5), np.float32)}
    source = pickled(tmp_path / "s3d.pickle", rows)
    facts = told("s3d", source, tmp_path / "features", "--rate", "2")
    assert facts == {"folder": str(tmp_path / "features"), "videos": 2, "rows": 5, "width": 5}
    edges = Features(tmp_path / "features").edges("video1")
    assert edges is not None
    assert edges.tolist() == [0, 0.5, 1]


def test_captions_become_what_the_dataset_reads(tmp_path: Path) -> None:
    config = YouCook2.tiny(tmp_path)
    before = config.read("test")
    file = tmp_path / "youcookii_data.json"
    source = pickled(tmp_path / "data.pickle", json.loads(file.read_text()))
    file.unlink()
    facts = told("youcook2", source, tmp_path)
    assert facts == {"file": str(file), "videos": 3, "clips": 6, "transcripts": 3}
    assert config.read("test") == before
    assert [config.transcript(pair) for pair in before.pairs] == ["now take slice 2", ""]


def test_weights_of_univl_are_told_key_by_key(tmp_path: Path) -> None:
    state = dict(univl.Config(**SMALL).build().network.state_dict())
    gone = [name for name in state if name.startswith("similarity_dense")]
    kept = {name: weight for name, weight in state.items() if name not in gone}
    torch.save({**kept, "more": torch.ones(1)}, tmp_path / "u.bin")
    sizes = [part for name, size in SMALL.items() for part in ("--set", f"config.{name}={size}")]
    facts = told("univl", tmp_path / "u.bin", tmp_path / "model", *sizes)
    assert (facts["missing"], facts["unexpected"]) == (gone, ["more"])
    assert set(facts["loaded"]) == set(kept)
    code, text = run("univl", tmp_path / "u.bin", tmp_path / "again", *sizes)
    assert code == 0
    assert f"loaded: {len(kept)}\nmissing: {', '.join(gone)}\nunexpected: more\ntied: " in text
    model = open_model(str(tmp_path / "model"), "cpu")
    name = "bert.pooler.dense.weight"
    torch.testing.assert_close(model.network.state_dict()[name], kept[name])


def test_a_file_with_few_weights_is_said_to_have_few(tmp_path: Path) -> None:
    state = dict(univl.Config(**SMALL).build().network.state_dict())
    first = next(iter(state))
    torch.save({first: state[first]}, tmp_path / "u.bin")
    sizes = [part for name, size in SMALL.items() for part in ("--set", f"config.{name}={size}")]
    code, text = run("univl", tmp_path / "u.bin", tmp_path / "model", *sizes)
    assert code == 0
    count, _, shown = text.partition("missing: ")[2].splitlines()[0].partition(": ")
    *named, more = shown.split(", ")
    assert (len(named), more) == (3, "...")
    assert {*named} < {*state}
    assert f"partly {tmp_path / 'model'}: {count} of {int(count) + 1} weights" in text


def test_weights_of_alpro_are_told_key_by_key_with_those_of_its_prompter(tmp_path: Path) -> None:
    words = len(alpro.Config.tiny().build().words)
    write(tmp_path / "a.pt", random_weights(shapes_of("pretraining", 8, words)))
    (tmp_path / "unigrams.txt").write_text("man 9\ndog 8\ncar 7\nsky 6\n")
    sizes = [f"--set=config.{size}" for size in ("width=8", "heads=2", "vocabulary=small")]
    given = (tmp_path / "a.pt", tmp_path / "ours", *sizes)
    facts = told("alpro", *given, "--entities", tmp_path / "unigrams.txt")
    assert facts["missing"] == facts["interpolated"] == []
    assert len(facts["loaded"]) == 457 + 4 + 457
    assert open_model(facts["folder"], "cpu").config.entities == ("man", "dog", "car", "sky")
    asked = write(tmp_path / "q.pt", random_weights(shapes_of("questions", 8, words)))
    (tmp_path / "labels.json").write_text('{"yes": 0, "no": 2, "two": 1}')
    code, text = run("alpro", asked, tmp_path / "qa", *sizes, "--answers", tmp_path / "labels.json")
    assert code == 0, text
    assert "renamed: 198\ninterpolated: none\n" in text
    assert open_model(str(tmp_path / "qa"), "cpu").answers == ("yes", "two", "no")


def test_weights_of_all_in_one_are_told_key_by_key(tmp_path: Path) -> None:
    config = all_in_one.Config.tiny()
    state = config.build().network.state_dict()
    given = {**state, "rank_output.weight": torch.ones(1, 32), "more": torch.ones(1)}
    torch.save({"state_dict": given, "epoch": 3}, tmp_path / "a.ckpt")
    changed = {
        "vocabulary",
        "width",
        "heads",
        "layers",
        "image",
        "shortest",
        "patch",
        "dim",
        "words",
    }
    sizes = config.model_dump(mode="json", include=changed)
    switches = [part for n, size in sizes.items() for part in ("--set", f"config.{n}={size}")]
    facts = told("all-in-one", tmp_path / "a.ckpt", tmp_path / "model", *switches)
    assert set(facts["loaded"]) == set(state)
    assert (facts["missing"], facts["unexpected"], facts["tied"]) == ([], ["more"], [])
    assert facts["skipped"] == ["rank_output.weight"]
    model = open_model(str(tmp_path / "model"), "cpu")
    torch.testing.assert_close(model.network.state_dict(), state)


def test_prompts_of_vop_are_brought_in_with_a_report_of_every_key(tmp_path: Path) -> None:
    base = clip.Config.tiny().build()
    base.save_pretrained(tmp_path / "clip")
    state = released_state(base, torch.randn(2, 5, 16), torch.randn(2, 3, 16))
    source = save_released(tmp_path / "VoP_msrvtt9k.pth", state)
    given = ("--base", tmp_path / "clip", "--prefix", 2)
    facts = told("vop", source, tmp_path / "ours", *given)
    assert (facts["method"], facts["prefix"], facts["suffix"]) == ("vop", 2, 3)
    assert (facts["missing"], facts["unexpected"], len(facts["loaded"])) == ([], [], 2)
    model = open_model(str(tmp_path / "ours"), "cpu")
    assert model.encode_text(model.tokenize(["a dog"])).shape == (1, base.dim)
    code, text = run("vop", source, tmp_path / "again", *given)
    assert code == 0
    assert "missing: none\nunexpected: none\n" in text


def test_what_is_refused_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "u.bin").write_bytes(b"no weights")
    kinds = (("univl", []), ("all-in-one", []), ("dual-encoding", ["--words", "x"]), ("s3d", []))
    for kind, more in kinds:
        code, text = run(kind, tmp_path / "u.bin", tmp_path / "new" / kind, *more)
        assert code == 1, text
    assert [path.name for path in tmp_path.iterdir()] == ["u.bin"]


def test_the_source_is_read_before_anything_is_built(tmp_path: Path) -> None:
    """A network that is built draws its weights."""
    before = torch.get_rng_state()
    for kind, more in (
        ("univl", []),
        ("all-in-one", []),
        ("dual-encoding", ["--words", "x"]),
        ("vop", ["--base", "tiny-clip"]),
        ("s3d", []),
        ("youcook2", []),
    ):
        code, text = run(kind, tmp_path / "nowhere", tmp_path / "new", *more)
        assert (code, "nowhere" in text) == (1, True), text
    assert torch.equal(torch.get_rng_state(), before)
    assert not list(tmp_path.iterdir())


def test_weights_of_other_names_or_shapes_are_refused_before_a_network_is_drawn(
    tmp_path: Path,
) -> None:
    state = univl.Config(**SMALL).build().network.state_dict()
    before = torch.get_rng_state()
    for name, weights, said in (
        ("other", {"stem": torch.ones(2)}, "has no key of UniVL (its first is 'stem')"),
        ("small", dict(state), "weights of another shape than the model"),
    ):
        torch.save(weights, tmp_path / name)
        code, text = run("univl", tmp_path / name, tmp_path / "new")
        assert (code, said in text) == (1, True), text
    assert torch.equal(torch.get_rng_state(), before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "small"]


def test_a_size_of_univl_that_is_none_is_refused(tmp_path: Path) -> None:
    code, text = run("univl", tmp_path / "u.bin", tmp_path / "model", "--set", "layers=3")
    assert code == 1
    assert "error: there is no setting layers; did you mean --set config." in text
    code, text = run("univl", tmp_path / "u.bin", tmp_path / "m", "--set", "config.video_layer=3")
    assert code == 1
    assert "no setting config.video_layer; did you mean --set config.video_layers" in text
    code, text = run("univl", tmp_path / "u.bin", tmp_path / "m", "--set", "config.positions=x")
    assert code == 1
    assert "error: config.positions: " in text


def test_a_dual_encoding_comes_with_its_words(tmp_path: Path) -> None:
    source = Released(len(WORDS)).save(tmp_path / "model_best.pth.tar")
    words = pickle_words(tmp_path / "word_vocab_5.pkl", [*MARKS, *WORDS])
    facts = told("dual-encoding", source, tmp_path / "model", "--words", words)
    model = open_model(str(tmp_path / "model"), "cpu")
    assert (facts["words"], facts["concepts"]) == (len(WORDS), 5)
    assert facts["weights"] == len(model.state_dict())
    code, text = run("dual-encoding", source, tmp_path / "model", "--words", words)
    assert (code, "not empty" in text) == (1, True)
    code, text = run("dual-encoding", source, tmp_path / "other", "--words", source)
    assert code == 1
    assert "is not a vocabulary of the released code" in text
