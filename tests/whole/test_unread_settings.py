"""Settings that were asked for and that nothing reads, or that name what is not there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import yaml
from pydantic import BaseModel

from reeltune.cli.options import changes_of
from reeltune.errors import ConfigError
from reeltune.meltr.melting import Melting
from reeltune.models import tuned
from reeltune.models.opening.material import Words
from reeltune.models.univl import Config as Univl
from reeltune.papers.table.entry import Entry
from reeltune.papers.table.make import jobs_of, make_table, sections_of
from reeltune.papers.table.missing import train_missing
from reeltune.papers.table.plan import Plan, require_passed_on
from reeltune.recipes.inputs import FromFeatures
from reeltune.recipes.own import merge
from reeltune.recipes.read import read_of, read_recipe, recipe_names
from reeltune.recipes.recipe import Recipe, known_settings
from reeltune.recipes.stored import as_stored, write_recipe
from reeltune.registry import find, names
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.settings.existing import ExistingPath, marks
from reeltune.settings.faults import settings_of
from reeltune.settings.unread import StatesUnread

SUM, LINE = "meltr.scheme=multi-task", "meltr.kind=linear"
ALONE, UNWEIGHED = "config.concepts=0", "meltr.step.gamma=0.0"
UNREAD = [  # method, what goes before, what is refused, and why
    ("univl-meltr", [SUM], "meltr.kind=linear", "under meltr.scheme=multi-task, which learns"),
    ("univl-meltr", [SUM], "meltr.sizes.width=8", "under meltr.scheme=multi-task"),
    ("univl-meltr", [SUM], "meltr.outer=recent", "under meltr.scheme=multi-task"),
    ("univl-meltr", [SUM], "meltr.warm_start=5", "under meltr.scheme=multi-task"),
    ("univl-meltr", [SUM], "meltr.step.every=2", ".*, but by the other schemes"),
    ("univl-meltr", [LINE], "meltr.sizes.width=8", ".*linear, but by meltr.kind=transformer"),
    ("univl-meltr", [LINE], "meltr.warm_start=5", "under meltr.kind=linear"),
    ("univl-meltr", [LINE], "meltr.step.dropout=true", "under meltr.kind=linear"),
    ("univl-meltr", [], "meltr.weights.align=2.0", ".*, which learns them, but by multi-task"),
    ("univl-meltr", [], "meltr.step.precision=bf16", "under MELTR; training.precision is"),
    ("univl-meltr", [], "meltr.step.curved=exact", ".* without curvature, but by neumann"),
    ("univl-meltr", [UNWEIGHED], "meltr.step.regularise=upper", "under meltr.step.gamma=0"),
    ("univl-meltr", [UNWEIGHED], "meltr.step.direct_term=true", "under meltr.step.gamma=0"),
    ("univl-meltr", [], "meltr.sizes.dropout=0.2", ".* but by meltr.step.dropout=true"),
    ("univl-meltr", ["meltr.sizes.scale=false"], "meltr.sizes.scale_width=8", "under meltr.sizes"),
    ("univl-meltr", [], "meltr.sizes.tasks=a", "from a recipe; the model names its losses"),
    ("univl-primary", [], "config.margin=0.2", r"where the losses are align, but by joint, m_j"),
    ("univl-primary", [], "config.mask_chance=0.2", ".* but by cmlm, cmfm"),
    ("univl-joint", [], "config.trains_padding=true", ".* but by decoder, m_decoder"),
    ("univl-caption", [], "v2t=any", "by a model that is judged without scores"),
    ("full", [], "config.hidden=8", "under config.method=full, but by adapter-attn and"),
    ("adapter-ffn", [], "config.rank=8", "under config.method=adapter-ffn, but by lora"),
    ("lora", [], "config.hidden=8", "under config.method=lora"),
    ("full", [], "config.architecture.dim=8", "under config.base=.*, but by config.base=null"),
    ("vop", [], "config.frames=4", "by these config.prompts, .* is set by --set frames"),
    ("vop", [], "config.suffix=0", "without config.compat, but by config.compat=modelscope"),
    ("dual-encoding", [ALONE], "config.alpha=0.2", "under config.concepts=0"),
    ("dual-encoding", [ALONE], "words.tags=captions", "under config.concepts=0"),
    ("dual-encoding-latent", [], "config.normalisation=max", "under config.concepts=0"),
    ("dual-encoding", [], "config.sentence_fingerprint=a", "without config.sentence_encoder"),
    ("zero-shot", [], "training.lr=0.01", "by a recipe that trains nothing"),
    ("zero-shot", [], "training.seed=3", "by a recipe that trains nothing"),
    ("vop", ["tunes=false"], "training.epochs=2", "by a recipe that trains nothing"),
    ("dual-encoding", ["features.folder=."], "features.every=1", "with features.folder, but wh"),
]


@pytest.mark.parametrize(("method", "before", "refused", "why"), UNREAD)
def test_a_setting_that_was_asked_for_and_that_nothing_reads_is_refused(
    method: str, before: list[str], refused: str, why: str, tmp_path: Path
) -> None:
    """A switch and a file of one's own are refused alike."""
    name, changes = refused.partition("=")[0], changes_of([*before, refused])
    told = rf"recipe toybox/{method}: {name} is not read {why}.*; leave out --set {refused}"
    with pytest.raises(ConfigError, match=told):
        read_recipe(f"toybox/{method}", changes)
    asked: dict[str, Any] = {"benchmark": "toybox", "method": method}
    for path, value in changes.items():
        nested: Any = value
        for part in reversed(path.split(".")):
            nested = {part: nested}
        merge(asked, nested)
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(asked))
    with pytest.raises(ConfigError, match=told):
        read_recipe(str(own))


def test_settings_of_meltr_do_not_melt_what_is_summed() -> None:
    told = r"meltr\.step\.every is not read where no losses are melted; .* meltr\.scheme=aid-f"
    with pytest.raises(ConfigError, match=rf"recipe toybox/univl: {told}"):
        read_recipe("toybox/univl", {"meltr.step.every": 2})
    with pytest.raises(ConfigError, match=told):
        read_recipe("toybox/univl", {"meltr": {"step": {"every": 2}}})


def test_settings_of_data_that_nothing_reads_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"options\.hold_out is not read under options\.train=ful"
    ):
        read_recipe("msrvtt-full/univl-caption", {"options.hold_out": 3})
    with pytest.raises(
        ConfigError, match=r"features\.every is not read on hybrid-space, which has"
    ):
        read_recipe("vatex/dual-encoding", {"features.every": 1})


def test_what_packaged_recipes_say_themselves_is_not_refused() -> None:
    assert all(isinstance(read_recipe(name), Recipe) for name in recipe_names())


def test_losses_are_melted_where_a_scheme_is_named() -> None:
    melting = read_recipe("toybox/univl", {"meltr.scheme": "neumann", "meltr.step.every": 2}).meltr
    assert melting == Melting(scheme="neumann").model_copy(
        update={"step": Melting().step.model_copy(update={"every": 2})}
    )


def test_a_wrong_option_of_a_scheme_is_named_before_anything_is_read() -> None:
    with pytest.raises(ConfigError, match=r"there is no setting meltr\.options\.trems"):
        read_recipe("toybox/univl-meltr", {"meltr.scheme": "neumann", "meltr.options.trems": 2})


def stating() -> Iterator[tuple[str, Any]]:
    """Settings of every component that says what is not read, under several choices."""
    for kind in ("models", "data"):
        for name in names(kind):
            config = find(kind, name).Config
            if issubclass(config, StatesUnread) and "folder" not in config.model_fields:
                yield name, config()
                yield name, config.tiny()
    yield "msrvtt", find("data", "msrvtt").Config(folder=Path("."), train="full")
    for method in tuned.METHODS:
        yield method, tuned.Config(method=method)
    yield "univl", Univl(tasks=("align",))
    yield "dual-encoding", find("models", "dual-encoding").Config(concepts=0)
    yield "features", FromFeatures(folder=Path("."))


@pytest.mark.parametrize(("name", "config"), [*stating()])
def test_what_is_said_not_to_be_read_is_a_setting(name: str, config: Any) -> None:
    assert set(config.unread()) <= {*settings_of(type(config)), *type(config).model_fields}


@pytest.mark.parametrize("name", recipe_names())
def test_every_unread_setting_of_a_recipe_is_one_that_there_is(name: str) -> None:
    recipe = read_recipe(name)
    known = {path for one in known_settings(dict(recipe)) for path in parents(one)}
    assert set(recipe.unread()) <= known


def parents(path: str) -> Iterator[str]:
    parts = path.split(".")
    return (".".join(parts[: count + 1]) for count in range(len(parts)))


@pytest.mark.parametrize("scheme", names("meltr.schemes"))
@pytest.mark.parametrize("kind", ["transformer", "linear"])
def test_what_melting_does_not_read_is_a_setting_of_it(scheme: str, kind: Any) -> None:
    known = {
        path for one in known_settings(dict(read_recipe("toybox/univl"))) for path in parents(one)
    }
    assert {f"meltr.{name}" for name in Melting(scheme=scheme, kind=kind).unread()} <= known


@pytest.mark.parametrize("method", tuned.METHODS)
def test_what_a_method_does_not_read_changes_no_weight(method: tuned.Method) -> None:
    if method == "lora":
        pytest.importorskip("peft")
    plain = tuned.Config(base=None, architecture=tuned.Config.tiny().architecture, method=method)
    others = {"hidden": 3, "rank": 2, "base_fingerprint": "other"}

    def fingerprint(config: tuned.Config) -> dict[str, torch.Size]:
        return {name: weight.shape for name, weight in config.build().named_parameters()}

    shapes = fingerprint(plain)
    for name in ("hidden", "rank"):
        changed = fingerprint(plain.model_copy(update={name: others[name]}))
        assert (changed == shapes) == (name in plain.unread()), name


def paths_of(kind: type[BaseModel]) -> Iterator[tuple[str, bool]]:
    """Names of settings that hold a path, and whether their type says that it must be there."""
    for name, field in kind.model_fields.items():
        parts = (field.annotation, *get_args(field.annotation))
        held = {getattr(part, "__origin__", part) for part in parts}
        if Path in held:
            yield name, any(True for _ in marks(field.annotation, field.metadata))


def test_every_path_in_settings_says_by_its_type_that_it_must_be_there() -> None:
    """But where Toybox is made, and the run that training starts from, which has its own check."""
    components = [find(kind, name).Config for kind in ("models", "data") for name in names(kind)]
    free = [
        (kind.__module__, name)
        for kind in (*components, Recipe, Words, FromFeatures, Melting)
        for name, marked in paths_of(kind)
        if not marked
    ]
    assert sorted(free) == [("reeltune.data.toybox", "folder"), ("reeltune.recipes.recipe", "init")]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("toybox/dual-encoding", "features.folder"),
        ("toybox/dual-encoding", "words.word2vec"),
        ("folder/vop", "options.captions"),
        ("folder/vop", "options.folder"),
        ("vatex/dual-encoding", "options.folder"),
        ("toybox/univl", "config.vocabulary"),
    ],
)
def test_a_path_that_is_not_there_is_refused_with_its_switch(name: str, path: str) -> None:
    told = rf"{name}: --set {path}=no/such: there is no such file or folder; give one that is there"
    with pytest.raises(ConfigError, match=told):
        read_recipe(name, {path: "no/such"})


def test_both_files_of_tags_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "tags.txt").touch()
    files = {"words.tags": str(tmp_path / "tags.txt"), "words.tag_vocabulary": "none.json"}
    with pytest.raises(ConfigError, match=r"--set words\.tag_vocabulary=none\.json: there is no"):
        read_recipe("toybox/dual-encoding", files)


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "features").mkdir()
    recipe = read_recipe("toybox/dual-encoding", {"features.folder": "~/features"})
    assert recipe.features is not None
    assert recipe.features.folder == tmp_path / "features"


def test_a_model_that_cannot_be_is_refused_and_a_hub_id_is_not() -> None:
    told = r"--set config\.base=nowhere: no model 'nowhere': it is neither a folder nor one of"
    with pytest.raises(ConfigError, match=told):
        read_recipe("toybox/vop", {"config.base": "nowhere"})
    with pytest.raises(ConfigError, match=r"--set config\.encoder=/no/such: .*no such folder"):
        read_recipe("toybox/dual-encoding", {"config.encoder": "/no/such"})
    assert read_recipe("toybox/vop", {"config.base": "some/model"}).config["base"] == "some/model"


def test_existing_paths_are_marked() -> None:
    assert [kind for kind, _ in marks(ExistingPath | None)] == [Path]


@pytest.mark.parametrize("family", names("papers"))
def test_tables_pass_to_a_row_what_the_row_reads(family: str, tmp_path: Path) -> None:
    melted = family.startswith("meltr")
    changes = {"options.size": "tiny", **({"meltr.step.every": 2} if melted else {})}
    plan = Plan(family=family, benchmark="toybox", out=tmp_path, seeds=1, changes=changes)
    jobs = jobs_of(plan)
    for job in jobs:
        recipe, own = job.recipe(plan), dict(job.changes)
        assert own["options.size"] == "tiny"
        learns = recipe.meltr is not None and recipe.meltr.built_scheme().batches > 0
        assert ("meltr.step.every" in own) == learns
    told: list[str] = []
    require_passed_on(plan, jobs, told.append)
    assert bool(told) == melted
    assert all("is not read by" in one for one in told)


def test_a_row_whose_own_changes_nothing_reads_beside_those_of_the_table_is_left_out(
    tmp_path: Path,
) -> None:
    """The strategy `alpha` of Dual Encoding++ weighs concepts, which there are none of."""
    plan = Plan(
        family="dual-encoding-pp",
        benchmark="toybox",
        out=tmp_path,
        seeds=1,
        changes={"options.size": "tiny", "config.concepts": 0},
    )
    _, single = sections_of(plan)
    assert [entry.name for entry in single.entries] == [
        *("none", "padding", "loss", "selection", "schedule")
    ]
    assert all(job.recipe(plan).config["concepts"] == 0 for job in jobs_of(plan))
    told: list[str] = []

    def stop(said: str) -> None:
        told.append(said)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_table(plan, False, stop)
    assert told == [
        "row alpha changes config.alpha, config.normalisation, which nothing reads beside what is "
        "set for all rows; so it is left out"
    ]
    changes = {"config.alpha": 0.2, "config.reduction": "mean"}
    half = Entry(name="half", method="dual-encoding", changes=changes)
    assert half.unread(plan) == ["config.alpha"]
    assert "config.alpha" not in half.jobs(plan)[0].settings


def test_a_change_that_no_row_of_a_table_reads_is_refused(tmp_path: Path) -> None:
    plan = Plan(
        family="vop", benchmark="toybox", out=tmp_path, seeds=1, changes={"words.at_least": 2}
    )
    with pytest.raises(ConfigError, match=r"words\.at_least is not read by tuned, for it learns"):
        train_missing(plan, jobs_of(plan), print)
    assert list(tmp_path.iterdir()) == []


def test_of_the_changes_of_many_a_recipe_takes_those_that_it_reads() -> None:
    many = {"meltr.step.every": 2, "config.margin": 0.3, "config.dropout": 0.2}
    assert read_of("toybox/univl-primary", many, {}) == {"config.dropout": 0.2}
    assert read_of("toybox/univl-meltr", many, {}) == many
    own = {"config.tasks": ["align", "cmlm"]}
    assert read_of("toybox/univl-meltr", many, own) == own | {
        "meltr.step.every": 2,
        "config.dropout": 0.2,
    }


def test_runs_of_a_table_have_a_seed_where_something_is_trained(tmp_path: Path) -> None:
    plan = Plan(family="vop", benchmark="toybox", out=tmp_path, seeds=2)
    seeds = [job.settings.get("training.seed") for job in jobs_of(plan)]
    assert (seeds.count(None), seeds.count(0), seeds.count(1)) == (1, 13, 13)


@pytest.mark.parametrize(
    ("benchmark", "name", "value"),
    [
        ("toybox", "config.method", "full"),
        ("toybox", "config.base", "tiny-clip"),
        ("toybox", "expected", {"R@1": 50.0}),
        ("toybox", "config.encoder", "tiny-clip"),
        ("msrvtt-9k", "test_hash", "00"),
    ],
)
def test_what_a_measured_model_takes_from_its_own_folder_is_not_set_beside_it(
    benchmark: str, name: str, value: object
) -> None:
    known = name != "config.encoder"  # no setting of a CLIP at all
    told = rf"evaluate: {name}.* is not read where a model is measured as it is, but where it is tr"
    with pytest.raises(ConfigError, match=told if known else "no setting config.encoder"):
        evaluation_recipe("tiny-clip", benchmark, {name: value})


def test_a_model_on_features_is_measured_beside_the_maker_of_these_alone(tmp_path: Path) -> None:
    write_recipe(as_stored(read_recipe("toybox/dual-encoding")), tmp_path)
    for refused in ({"training.batch": 8}, {"config.latent": 8}, {"words.at_least": 1}):
        with pytest.raises(ConfigError, match="is not read where a model is measured as it is"):
            evaluation_recipe(str(tmp_path), "toybox", refused)
    made = {"config.encoder": "lite"}
    assert evaluation_recipe(str(tmp_path), "toybox", made).config["encoder"] == "lite"
    with pytest.raises(ConfigError, match=r"config\.encoder is not read where a model is measured"):
        evaluation_recipe(str(tmp_path), "toybox", {**made, "features.folder": str(tmp_path)})
