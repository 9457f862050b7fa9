"""Recipes of one's own: a YAML file in place of a name, and one's own captions as a benchmark."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from reeltune.cli.app import app
from reeltune.data.toybox import Config
from reeltune.errors import ConfigError
from reeltune.papers.table.make import jobs_of
from reeltune.papers.table.missing import _command
from reeltune.papers.table.plan import Plan, recipe_of
from reeltune.recipes.read import read_recipe
from reeltune.recipes.stored import as_stored, write_recipe
from reeltune.runs.describe import describe

OWN = """\
benchmark: toybox
method: vop
options: {size: tiny}
training: {lr: 3.0e-3, epochs: 1, batch: 8}
frames: 4
config:
  prompts: [{kind: text, length: 2}, {kind: generic, length: 2}]
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "short.yaml"
    path.write_text(OWN)
    return path


def test_a_file_says_what_the_same_switches_say(own: Path) -> None:
    switches = {
        "options.size": "tiny",
        "training.lr": 3e-3,
        "training.epochs": 1,
        "training.batch": 8,
        "frames": 4,
        "config.prompts": [{"kind": "text", "length": 2}, {"kind": "generic", "length": 2}],
    }
    assert read_recipe(str(own)) == read_recipe("toybox/vop", switches)
    assert read_recipe(str(own), {"training.lr": 0.5}).training.lr == 0.5


def test_the_size_that_a_file_names_brings_its_batch(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text("{benchmark: toybox, method: vop, options: {size: tiny}}")
    assert read_recipe(str(path)) == read_recipe("toybox/vop", {"options.size": "tiny"})


@pytest.mark.parametrize(
    "name", ["toybox/vop-fc", "toybox/univl-meltr", "msrvtt-full/univl-caption"]
)
def test_the_recipe_that_a_run_leaves_is_a_recipe(tmp_path: Path, name: str) -> None:
    recipe = read_recipe(name, {"training.seed": 3})
    write_recipe(as_stored(recipe), tmp_path)
    assert read_recipe(str(tmp_path / "recipe.yaml")) == recipe


def test_a_section_that_the_method_does_not_have_may_be_added(tmp_path: Path) -> None:
    path = tmp_path / "melted.yml"
    path.write_text(
        "{benchmark: toybox, method: univl, meltr: {scheme: aid-fp-lite, step: {every: 2}}}"
    )
    melting = read_recipe(str(path)).meltr
    assert melting is not None
    assert melting.step.every == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("benchmark: toybox", r"own\.yaml has benchmark at its top; it needs benchmark and method"),
        ("{}", r"has nothing at its top"),
        (
            "[1, 2]",
            r"own\.yaml cannot be .* \(it holds a list, where settings by name are wanted\)",
        ),
        ("a: [", r"own\.yaml cannot be read as a recipe \(.*line 1.*\); give a YAML file"),
        (
            OWN + "training.lr: 1",
            r"has training\.lr at its top; write it in its section, .*lr: \.\.",
        ),
        (
            OWN + "component: os.path",
            r"vop, component: no model named .os\.path. is installed, and",
        ),
        (
            OWN.replace("epochs", "epoch"),
            r"own\.yaml: there is no setting training\.epoch; did you",
        ),
        (
            OWN.replace("method: vop", "method: vopp"),
            r"no recipe 'toybox/vopp'; a recipe is one of",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_recipe(str(path))
    with pytest.raises(ConfigError, match=r"no\.yaml cannot be read \(No such file"):
        read_recipe(str(tmp_path / "no.yaml"))


def test_a_file_is_trained_and_what_it_leaves_is_the_same_run(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("train", own, "--seed", 2)
    assert done.exit_code == 0, done.output
    out = tmp_path / "runs" / "short" / "seed2"
    weights = out / "adapter.safetensors"
    before = weights.stat().st_mtime_ns
    again = run("train", out / "recipe.yaml", "--out", out, "--json")
    assert again.exit_code == 0, again.output
    assert weights.stat().st_mtime_ns == before, "the seed of the file is that of the run"


def test_settings_change_what_is_described(own: Path) -> None:
    plain, short = describe("toybox/vop"), describe(str(own))
    assert short["trainable"] * 4 == plain["trainable"]  # 2 prompts a layer in place of 8
    longer = describe("toybox/vop", {"config.prompts": [{"kind": "text", "length": 16}]})
    assert longer["parts"]["text"]["total"] == 2 * plain["parts"]["text"]["total"]
    told = json.loads(run("describe", own, "--set", "config.prompts=[]", "--json").stdout)
    assert told["trainable"] == 0
    with pytest.raises(ConfigError, match=r"--set changes a recipe, and lite is none; name one"):
        describe("lite", {"config.dim": 3})


def test_a_table_has_rows_of_ones_own(own: Path, tmp_path: Path) -> None:
    plan = Plan(family="vop", benchmark="toybox", out=tmp_path / "table", seeds=2, own=(own,))
    jobs = [job for job in jobs_of(plan) if job.method == "short"]
    assert [job.folder for job in jobs] == [tmp_path / "table/short" / f"seed{n}" for n in (0, 1)]
    assert _command(plan, jobs[0])[4] == str(own)
    assert recipe_of(plan, "short") == read_recipe(str(own))
    assert recipe_of(plan, "vop") == read_recipe("toybox/vop")


def test_a_row_of_another_table_or_of_a_name_that_is_taken_is_refused(
    own: Path, tmp_path: Path
) -> None:
    place = {"out": tmp_path, "own": (own,)}
    with pytest.raises(
        ConfigError, match=r"short\.yaml is a recipe of toybox, and .* didemo; give"
    ):
        jobs_of(Plan(family="vop", benchmark="didemo", data=tmp_path, **place))
    with pytest.raises(ConfigError, match=r"meltr-gamma has the rows of its paper .* table vop"):
        jobs_of(Plan(family="meltr-gamma", benchmark="toybox", **place))
    taken = own.rename(tmp_path / "vop-c.yaml")
    with pytest.raises(
        ConfigError, match=r"named after their files, and .*vop-c\.yaml .*rename one"
    ):
        jobs_of(Plan(family="vop", benchmark="toybox", out=tmp_path, own=(taken,)))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of Toybox as a person's own videos, three captions each."""
    folder = tmp_path_factory.mktemp("mine")
    pairs = [
        pair for part in ("train", "val", "test") for pair in Config(size="tiny").read(part).pairs
    ]
    with (folder / "captions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "caption"])
        for number, pair in enumerate(pairs):
            (folder / pair.path.name).write_bytes(pair.path.read_bytes())
            if number % 20 < 3:  # of the 20 captions
                writer.writerow([pair.path.name, pair.caption])
    return folder


@pytest.mark.parametrize("method", ["vop-fp", "dual-encoding", "dual-encoding-meltr"])
def test_ones_own_captions_are_a_benchmark(mine: Path, tmp_path: Path, method: str) -> None:
    clip = ("config.base=tiny-clip", "frames=4", "config.frames=4")
    features = (
        *("config.encoder=tiny-clip", "features.every=1", "config.hidden=8", "config.filters=4"),
        *("config.latent=16", "config.embedding=8", "config.concepts=8"),
    )
    given = clip if method == "vop-fp" else features
    settings = [part for one in (*given, "training.epochs=1") for part in ("--set", one)]
    done = run("train", f"folder/{method}", "--data", mine, "--out", tmp_path / "r", *settings)
    assert done.exit_code == 0, done.output
    again = run("evaluate", tmp_path / "r", "--benchmark", "folder", "--data", mine, "--json")
    assert again.exit_code == 0, again.output
    stored = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert json.loads(again.stdout)["t2v"] == stored["t2v"]
    assert yaml.safe_load((tmp_path / "r" / "recipe.yaml").read_text())["dataset"] == "folder"


def test_any_model_is_measured_on_ones_own_captions(mine: Path) -> None:
    done = run("evaluate", "tiny-clip", "--benchmark", "folder", "--data", mine, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["protocol"]["dataset"] == "folder"
