"""The tables of MELTR: which runs they share, their intervals, and tables of small runs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import ConfigError
from reeltune.evaluation.bleu import bleu
from reeltune.evaluation.captioning import CaptioningReport, captioning_report
from reeltune.evaluation.captions import caption_report, split_words
from reeltune.evaluation.protocols import CaptionCard
from reeltune.evaluation.retrieval import Report
from reeltune.papers import meltr_losses, meltr_schemes, meltr_weightings
from reeltune.papers._meltr import MELTR
from reeltune.papers._meltr_costs import Cost, costs, stored_costs
from reeltune.papers.meltr_schemes import SCHEMES
from reeltune.papers.table import draws
from reeltune.papers.table.contract import Table
from reeltune.papers.table.draws import sample_of
from reeltune.papers.table.make import jobs_of, make_table, read_table, sections_of, table_named
from reeltune.papers.table.plan import Plan
from reeltune.papers.table.seconds import epoch_seconds
from reeltune.recipes.read import read_recipe
from reeltune.registry import names, packaged
from reeltune.runs.finished import METRICS
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.training.log import read_log

SMALL = {"options.size": "tiny", "training.epochs": 1, "training.batch": 8}
SMALL |= {"config.width": 16, "config.heads": 2, "config.words": 16, "meltr.step.every": 1}
SPEECH = [f"univl-caption-speech{form}" for form in ("", "-primary", "-meltr")]
KEPT = ("sum", "primary loss alone", "aid-fp-lite", "(A) decoder alone", "(C) all eight", "MELTR")
KEPT += ("uncertainty",)


def plan_of(family: str, out: Path, **more: object) -> Plan:
    return Plan(family=family, benchmark="toybox", out=out, seeds=1, **more)  # type: ignore[arg-type]


TABLES = {
    family: sections_of(plan_of(family, Path()))
    for family in names("papers")
    if family.startswith("meltr-")
}


def jobs_by_name(out: Path) -> dict[str, Path]:
    """The folder of every row of every table, by table and row."""
    return {
        f"{section.name}: {entry.name}": entry.jobs(plan_of(family, out))[0].folder
        for family, sections in TABLES.items()
        for section in sections
        for entry in section.entries
    }


def test_what_two_tables_need_is_trained_once(tmp_path: Path) -> None:
    found = jobs_by_name(tmp_path)
    same = {
        name.partition(": ")[2] for name, path in found.items() if path.parent.name == "univl-meltr"
    }
    assert same == {
        *("aid-fp-lite, regularised", "gamma 0.1", "SE + TE", "upper, both ways"),
        *("MELTR, the recipe", "K = 3 on held-out data, the recipe"),
    }
    named = {name.partition(": ")[2] for name, path in found.items() if path.parent.name in SPEECH}
    assert named == {
        *("MELTR", "five losses + all three, MELTR"),
        *("(C) all eight", "five losses + all three, sum"),
        *("(A) decoder alone", "decoder alone"),
        *("sum of all eight", "upper, both ways", "MELTR, the recipe"),
    }
    weightings = 2 * len(packaged("training.weightings"))  # in retrieval and in captions
    assert len(set(found.values())) == 44 + weightings + 6, "linear, and schemes of captions"
    each = [job for family in TABLES for job in jobs_of(plan_of(family, tmp_path))]
    assert {job.folder for job in each} == set(found.values())


def test_runs_that_share_a_folder_are_of_one_recipe(tmp_path: Path) -> None:
    recipes: dict[Path, object] = {}
    for family, sections in TABLES.items():
        for section in sections:
            for entry in section.entries:
                (job,) = entry.jobs(plan_of(family, tmp_path))
                changed = read_recipe(f"toybox/{job.method}", dict(entry.changes))
                own = changed.model_config_of(), changed.model_copy(update={"config": {}})
                assert recipes.setdefault(job.folder, own) == own, entry.name
    assert len({str(recipe) for recipe in recipes.values()}) == len(recipes)


def test_settings_of_the_whole_table_do_not_name_runs(tmp_path: Path) -> None:
    plan = plan_of("meltr-gamma", tmp_path, changes={"meltr.step.gamma": 1.0})
    entries = {entry.name: entry for entry in TABLES["meltr-gamma"][0].entries}
    (job,) = entries["gamma 1"].jobs(plan)
    assert job.folder == tmp_path / "univl-meltr" / "seed0"
    (job,) = entries["gamma 0.1"].jobs(plan)
    assert job.folder == tmp_path / "univl-meltr+gamma-0.1" / "seed0"
    assert dict(job.changes)["meltr.step.gamma"] == 0.1


def test_tables_share_a_folder_and_rows_are_compared_with_rows_of_their_section() -> None:
    assert list(TABLES) == [f"meltr-{table_named(family).stem}" for family in TABLES]
    for family, sections in TABLES.items():
        assert table_named(family).folder == "meltr"
        for section in sections:
            rows = [entry.name for entry in section.entries]
            others = {row for entry in section.entries for row in entry.against.values()}
            assert {*section.against.values(), *others} <= set(rows)
            assert len(set(rows)) == len(rows)
            assert section.against.keys() == {"the sum", "the primary loss"}
            methods = {entry.method for entry in section.entries}
            assert methods <= {*SPEECH, "univl", "univl-primary", "univl-meltr"}


def test_the_papers_figures_are_those_of_its_tables() -> None:
    paper = {e.name: e.paper for s in TABLES.values() for one in s for e in one.entries}
    assert paper["sum"] == {"t2v R@1": 26.1, "s/epoch": 547}
    assert paper["meta-weight-net"] == {"t2v R@1": 27.3, "s/epoch": 1296}
    assert paper["gamma 10"] == {"t2v R@1": 28.6}
    assert paper["TE, as in the paper"] == {}, "could not be trained"
    assert paper["MELTR"]["CIDEr-D"] == 190
    gains = [
        np.mean([paper[f"five losses + {added}, {how}"][n] - base[n] for n in base])
        for how, base in ((how, paper[f"five losses, {how}"]) for how in ("sum", "MELTR"))
        for added in ("m_decoder", "m_joint", "m_align", "all three")
    ]
    stated = [0.73, 0.31, 0.07, 0.91, 0.47, 0.37, 0.26, 0.74]
    assert gains == pytest.approx(stated, abs=0.02), "the paper's column of gains"


CAPTIONS = ("a red ball rolls left", "a blue box falls", "the red ball bounces", "nothing moves")
TRUTHS = (
    ["a red ball rolls to the left", "the ball rolls"],
    ["a blue box falls down", "a box falls", "the blue box is falling"],
    ["the red ball bounces twice"],
    ["a green cone stands still", "nothing moves here"],
)
CLIPS = ("v0", "v1", "v2", "v3")


def written(texts: tuple[str, ...]) -> CaptioningReport:
    found = dict(zip(CLIPS, texts, strict=True))
    report = caption_report(found, dict(zip(CLIPS, TRUTHS, strict=True)), with_meteor=False)
    card = CaptionCard(
        dataset="toybox",
        split="test",
        split_hash="0",
        frames="all",
        reads="V",
        beams=1,
        longest=8,
        clips=4,
        references=report.references,
        words=("bert",),
        model="m",
        fingerprint="f",
        seed=0,
    )
    return captioning_report({"": report}, found, card)


def test_draws_of_captions_are_those_of_the_slow_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "DRAWS", 5)
    texts = [CAPTIONS, ("a ball", "a blue box falls down", "the ball", "a green cone stands still")]
    reports = [written(tuple(one)) for one in texts]
    found = sample_of(reports).draws
    videos = np.random.default_rng(0).integers(0, 4, (5, 4))
    seeds = np.random.default_rng([1, 2]).integers(0, 2, (5, 2))
    truths = [split_words(some, "bert") for some in TRUTHS]
    for draw in range(5):
        for order in (1, 4):
            each = []
            for seed in seeds[draw]:
                words = split_words([texts[seed][video] for video in videos[draw]], "bert")
                each.append(100 * bleu(words, [truths[v] for v in videos[draw]])[order - 1])
            assert found[f"BLEU-{order}"][draw] == pytest.approx(np.mean(each), rel=1e-6)
        for name in ("ROUGE-L", "CIDEr-D"):
            own = [
                reports[seed].segments[name][CLIPS[video]]
                for seed in seeds[draw]
                for video in videos[draw]
            ]
            assert found[name][draw] == pytest.approx(np.mean(own))


def test_seconds_of_an_epoch_are_those_of_its_steps() -> None:
    step = {"kind": "step", "clips/s": 16.0}
    log = [step, step, {"kind": "epoch"}, step, step | {"clips/s": 4.0}, {"kind": "epoch"}]
    assert epoch_seconds(log, 8) == pytest.approx((3 * 0.5 + 2.0) / 2)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each row in `KEPT`, where the tables look for it."""
    out = tmp_path_factory.mktemp("tables")
    for family in MODULES:
        plan = plan_of(family, out, changes=settings_of(family))
        entries = shortened(family).sections(plan)[0].entries
        for job in (job for entry in entries for job in entry.jobs(plan)):
            if job.folder.is_dir():  # of a row that two tables share
                continue
            changes = {**dict(job.changes), "training.seed": job.seed}
            run_recipe(read_recipe(f"toybox/{job.method}", changes), RunPlace(out=job.folder))
    return out


def settings_of(family: str) -> dict[str, object]:
    return {k: v for k, v in SMALL.items() if not k.startswith("meltr.")}


def shortened(family: str, **changes: object) -> Table:
    """The table with the rows of its first section that were run."""
    section = TABLES[family][0]
    kept = [entry for entry in section.entries if entry.name in KEPT]
    small = replace(section, entries=kept, **changes)
    return replace(table_named(family), sections=lambda plan: [small])


MODULES = {
    "meltr-schemes": meltr_schemes,
    "meltr-losses": meltr_losses,
    "meltr-weightings": meltr_weightings,
}


def test_figures_and_differences_are_those_of_the_runs(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meltr_schemes, "TABLE", shortened("meltr-schemes"))
    (found,) = read_table(plan_of("meltr-schemes", small, changes=settings_of("meltr-schemes")))
    rows = {row["name"]: row for row in found.fields()}
    report = Report.read(small / "univl-meltr+gamma-0.0" / "seed0" / METRICS)
    row, base = rows["aid-fp-lite"], rows["sum"]
    figures = row["figures"]
    assert figures["t2v R@1"] == pytest.approx(report.t2v["R@1"])
    assert figures["SumR"] == pytest.approx(report.t2v["SumR"] + report.v2t["SumR"])
    assert row["to_base"]["SumR"][0] == pytest.approx(figures["SumR"] - base["figures"]["SumR"])
    assert base["to_base"] == {}
    low, high = row["intervals"]["SumR"]
    assert low <= figures["SumR"] <= high
    spent = [line.get("meta seconds", 0) for line in read_log(small / "univl-meltr" / "seed0")]
    if any(spent):
        assert row["meta_seconds"] == pytest.approx(np.median([one for one in spent if one > 0]))
    assert base["meta_seconds"] is None
    assert row["seconds"] > 0


@pytest.mark.parametrize("family", ["meltr-schemes", "meltr-losses"])
def test_the_command_leaves_figures_of_other_data_out_and_trains_nothing_twice(
    small: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MODULES[family], "TABLE", shortened(family))
    before = {path: path.stat().st_mtime_ns for path in small.glob("**/model.safetensors")}
    settings = [f"--set={n}={v}" for n, v in settings_of(family).items()]
    command = ["table", family, "--seeds", "1", "--no-sweep", "--out", str(small), *settings]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    name = family.removeprefix("meltr-")
    text = (small / f"{name}.md").read_text()
    assert text in done.output
    papers = {"meltr-schemes": "msrvtt-7k", "meltr-losses": "youcook2"}[family]
    assert f"The paper's figures are of the whole test split of {papers}, which is not" in text
    assert "| paper " not in text
    assert (small / f"{name}.png").stat().st_size > 5_000
    (rows,) = json.loads((small / f"{name}.json").read_text())["tables"].values()
    assert [row["name"] for row in rows] == [name for name in NAMES[family] if name in KEPT]
    assert before == {path: path.stat().st_mtime_ns for path in before}


NAMES = {family: [entry.name for entry in TABLES[family][0].entries] for family in MODULES}


@pytest.mark.parametrize("family", ["meltr-schemes", "meltr-losses"])
def test_the_papers_columns_are_given_where_its_own_test_data_were_measured(
    small: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MODULES[family], "TABLE", shortened(family, benchmark="toybox"))
    (found,) = read_table(plan_of(family, small, changes=settings_of(family)))
    text = "\n".join(map(str, found.page()))
    row, paper = {
        "meltr-schemes": ("aid-fp-lite", "| 28.5 | 574 |"),
        "meltr-losses": ("MELTR", "| 24.12 | 17.92 | 22.56 | 47.04 | 190 |"),
    }[family]
    assert next(x for x in text.splitlines() if x.startswith(f"| {row} |")).endswith(paper)
    assert "The paper's columns are of toybox, one run each." in text


def test_what_schemes_cost_is_measured_once(tmp_path: Path) -> None:
    recipe, place = read_recipe(f"toybox/{MELTR}", SMALL), RunPlace(out=tmp_path)
    found = stored_costs(recipe, ["aid-fp-lite", "neumann"], place, rounds=2)
    assert 0 < found["aid-fp-lite"].meta_step < found["neumann"].meta_step, "products cost more"
    assert found["neumann"].every == 1
    before = (tmp_path / "costs.json").stat().st_mtime_ns
    assert stored_costs(recipe, ["aid-fp-lite", "neumann"], place, rounds=2) == found
    assert (tmp_path / "costs.json").stat().st_mtime_ns == before


def test_time_and_memory_of_rows_are_measured_in_turns(tmp_path: Path) -> None:
    """Gradients of all losses take more of both than their sum, and values hardly any."""
    plan = plan_of("meltr-weightings", tmp_path, changes=SMALL)
    rows = ("sum", "uncertainty", "gradnorm", "MELTR, the recipe")
    chosen = [one for one in meltr_weightings.RETRIEVAL.entries if one.name in rows]
    found = meltr_weightings.costs(plan, chosen, rounds=2)
    assert set(found) == set(rows)
    assert found["sum"]["ratio"] == 1
    assert found["gradnorm"]["ratio"] > 1
    assert found["gradnorm"]["mb"] > found["uncertainty"]["mb"] > 0
    assert found["uncertainty"]["mb"] == pytest.approx(found["sum"]["mb"], rel=0.05)
    again = meltr_weightings.costs(plan, chosen, rounds=2)
    assert again == found, "they are kept"


def test_the_table_of_weightings_has_no_figures_of_a_paper(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meltr_weightings, "TABLE", shortened("meltr-weightings"))
    settings = [f"--set={n}={v}" for n, v in settings_of("meltr-weightings").items()]
    command = ["table", "meltr-weightings", "--seeds", "1", "--no-sweep", "--out", str(small)]
    done = CliRunner().invoke(app, [*command, *settings])
    assert done.exit_code == 0, done.output
    text = (small / "weightings.md").read_text()
    assert "The paper has no such table." in text
    assert "| uncertainty | " in text
    (rows,) = json.loads((small / "weightings.json").read_text())["tables"].values()
    assert [row["name"] for row in rows] == ["sum", "primary loss alone", "uncertainty"]
    report = Report.read(small / "univl+combine-uncertainty" / "seed0" / METRICS)
    assert rows[2]["figures"]["t2v R@1"] == pytest.approx(report.t2v["R@1"])
    assert (small / "weightings.png").stat().st_size > 5_000


def test_overhead_is_the_meta_step_shared_by_k_steps() -> None:
    cost = Cost(meta_step=2.0, every=4)
    assert cost.overhead() == 50
    assert cost.overhead(25) == 8


def test_costs_of_a_recipe_that_melts_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"univl has no meltr; take one that has"):
        costs(read_recipe("toybox/univl"), list(SCHEMES), RunPlace(out=tmp_path))


def test_an_unknown_table_of_meltr_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no table named 'meltr-k'; .*: .*meltr-schemes"):
        make_table(plan_of("meltr-k", tmp_path), False, print)
