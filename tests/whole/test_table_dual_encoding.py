"""The tables of Dual Encoding++: trained once, small; what they say is checked against the runs."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.compress.prune import prunable
from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.retrieval import Report
from reeltune.models.dual_encoding import Config, load
from reeltune.papers._dual_encoding_sweeps import (
    ALPHAS,
    BASELINE,
    PLUS,
    UNI,
    Cut,
    HeldOut,
    alpha_sums,
    pruned,
)
from reeltune.papers.dual_encoding_pp import (
    PAPER,
    SIZES,
    STRATEGIES,
    entries,
    held_out,
    page,
    strategy,
    with_sums,
)
from reeltune.papers.table import draws
from reeltune.papers.table.contract import Found
from reeltune.papers.table.draws import sample_of, subset_of
from reeltune.papers.table.entry import Entry
from reeltune.papers.table.make import jobs_of, make_table, read_table
from reeltune.papers.table.plan import Plan
from reeltune.papers.table.row import papers_figures
from reeltune.recipes.read import read_recipe
from reeltune.runs.finished import METRICS
from reeltune.runs.paper import figures_of
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.types import LeftOut

SMALL = {"options.size": "tiny", "training.epochs": 2, "training.batch": 16}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Every run of both tables, with one seed."""
    plan = Plan(
        family="dual-encoding-pp",
        benchmark="toybox",
        out=tmp_path_factory.mktemp("table"),
        seeds=1,
        changes=SMALL,
    )
    for job in jobs_of(plan):
        changes = {**dict(job.changes), "training.seed": job.seed}
        run_recipe(read_recipe(f"toybox/{job.method}", changes), RunPlace(out=job.folder))
    return plan


@pytest.fixture(scope="module")
def held(plan: Plan) -> HeldOut:
    return held_out(plan)


@pytest.fixture(scope="module")
def found(plan: Plan) -> tuple[Found, Found]:
    """The paper's rows, and one strategy at a time."""
    main, alone = read_table(plan)
    return main, alone


Fields = dict[str, Any]


@pytest.fixture(scope="module")
def rows(found: tuple[Found, Found]) -> dict[str, Fields]:
    return {row["name"]: dict(row) for row in found[0].fields()}


def report_of(plan: Plan, method: str) -> Report:
    return Report.read(plan.out / method / "seed0" / METRICS)


def test_jobs_differ_from_the_baseline_by_one_strategy(plan: Plan) -> None:
    base = read_recipe(f"toybox/{BASELINE}", SMALL).model_dump()
    for name in STRATEGIES:
        (job,) = strategy(name).jobs(plan)
        other = read_recipe(f"toybox/{job.method}", dict(job.changes)).model_dump()
        for part in ("config", "training"):
            base_part, other_part = base[part], other[part]
            changed = {
                f"{part}.{field}"
                for field in {*base_part, *other_part}
                if base_part.get(field) != other_part.get(field)
            }
            assert changed == {key for key in STRATEGIES[name][1] if key.startswith(part)}, name
    together = {key: value for _, one in STRATEGIES.values() for key, value in one.items()}
    plus = read_recipe(f"toybox/{PLUS}").model_dump()
    for key, value in together.items():
        part, field = key.split(".")
        assert plus[part][field] == value, "all five make [B]"


def test_rows_are_those_of_the_paper_in_its_order(rows: dict[str, Fields]) -> None:
    assert list(rows) == ["DE", "[A]", "[B]", "[C]", "[D]", "[E]", "[F]"]


def test_sizes_are_counted_in_the_checkpoints(plan: Plan, rows: dict[str, Fields]) -> None:
    cuts = {"[D]": Cut(0.36), "[E]": Cut(0.22), "[F]": Cut(0.22, biases=True)}
    for entry in entries(plan):
        model = load(plan.out / entry.method / "seed0", "cpu")
        row = rows[entry.name]
        assert row["parameters"] == sum(weight.numel() for weight in model.parameters())
        zeros = 0
        if cut := cuts.get(entry.name):
            weights = prunable(model, biases=cut.biases).values()
            zeros = round(cut.amount * sum(weight.numel() for weight in weights))
        assert row["nonzeros"] == row["parameters"] - zeros
        assert row["size"] == row["parameters"] / rows["DE"]["parameters"]
        assert row["nonzero"] == row["nonzeros"] / rows["DE"]["parameters"]
    assert rows["[C]"]["size"] < rows["[B]"]["size"] == 1
    assert rows["[F]"]["nonzeros"] < rows["[E]"]["nonzeros"] < rows["[C]"]["nonzeros"]


def test_figures_are_those_of_the_runs(plan: Plan, rows: dict[str, Fields]) -> None:
    report, row = report_of(plan, UNI), rows["[C]"]
    assert row["figures"]["t2v R@5"] == pytest.approx(report.t2v["R@5"])
    assert row["figures"]["v2t MnR"] == pytest.approx(report.v2t["MnR"])
    total = report.t2v["SumR"] + report.v2t["SumR"]
    assert row["figures"]["SumR"] == pytest.approx(total)
    assert row["seeds"] == pytest.approx([total])
    assert row["against"][0] == pytest.approx(total - rows["DE"]["figures"]["SumR"])
    assert rows["DE"]["against"] == (0, (0, 0))
    for name, (low, high) in row["intervals"].items():
        assert low <= row["figures"][name] <= high, name


def papers_of(entry: Entry) -> dict[str, float]:
    """What the paper has for a row."""
    recipe = read_recipe(f"{PAPER}/{entry.method}")
    beside = figures_of(recipe.expected, recipe.expected_v2t)
    return beside if entry.paper is None else dict(entry.paper)


def test_the_papers_figures_are_those_of_its_table(plan: Plan) -> None:
    papers = {entry.name: with_sums(papers_of(entry)) for entry in entries(plan)}
    sums = {"DE": 210.2, "[A]": 211.2, "[B]": 214.4, "[C]": 212.9}
    sums |= {"[D]": 211.7, "[E]": 212.5, "[F]": 212.6}
    assert {name: found["SumR"] for name, found in papers.items()} == pytest.approx(sums, abs=0.06)
    assert list(SIZES.values()) == [1, 1, 1, 0.83, 0.66, 0.66, 0.66]
    assert papers["[D]"]["t2v MnR"] == 118.47
    assert "t2v MnR" not in papers["DE"]


def test_the_papers_table_is_given_where_its_own_test_data_were_measured(
    found: tuple[Found, Found],
) -> None:
    theirs = [replace(row, paper=papers_of(row.entry), others={}) for row in found[0].rows]
    for row in theirs[1:]:
        row.others["DE"] = theirs[0]
    text = "\n".join(map(str, page(replace(found[0], rows=theirs))))
    assert "| [E] | 0.66 | 12.0 | 31.9 | 43.2 | 117.3 | 87.1 |" in text
    assert "v2t R@1 (any) | v2t R@5 (any)" in text
    assert "ranked by the rule grouped here and any in the paper" in text
    assert text.splitlines()[-1].endswith("| 212.6 | +2.4 |")


def test_figures_of_other_data_are_not_those_that_a_paper_measured(
    plan: Plan, rows: dict[str, Fields]
) -> None:
    report, entry = report_of(plan, UNI), Entry(name="[C]", method=UNI, paper={"SumR": 1.0})
    assert papers_figures(plan, entry, "toybox", [report]) == {"SumR": 1.0}
    assert papers_figures(plan, entry, "msrvtt-official", [report]) == {}, "another benchmark"
    gone = LeftOut(what="video", reason="gone", count=1)
    for change in ({"left_out": {"test": (gone,)}}, {"differs": ("test has 3 videos",)}):
        less = replace(report, protocol=replace(report.protocol, **change))
        assert papers_figures(plan, entry, "toybox", [report, less]) == {}
    assert all(row["paper"] == {} for row in rows.values())


def test_the_padding_strategy_changes_no_rank(plan: Plan, found: tuple[Found, Found]) -> None:
    alone = {row["name"]: row for row in found[1].fields()}
    assert list(alone) == ["none", *STRATEGIES]
    assert alone["padding"]["same"]
    assert alone["padding"]["against"] == (0, (0, 0))
    weights = {
        name: load(folder, "cpu").state_dict()["text.embedding.weight"]
        for name, folder in (
            ("none", plan.out / BASELINE / "seed0"),
            ("padding", plan.out / "one-at-a-time" / "padding" / "seed0"),
        )
    }
    assert weights["padding"][0].abs().max() == 0
    assert weights["padding"][1:].equal(weights["none"][1:])


def test_draws_of_both_ways_are_those_of_the_slow_rule(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "DRAWS", 6)
    reports = [report_of(plan, method) for method in (BASELINE, PLUS, UNI)]
    videos = len(reports[0].ranks.v2t)
    chosen = np.random.default_rng(0).integers(0, videos, (6, videos))
    seeds = np.random.default_rng([1, 3]).integers(0, 3, (6, 3))
    sample = sample_of(reports)
    for way, depth in (("t2v", 1), ("t2v", 10), ("v2t", 1), ("v2t", 5)):
        wanted = []
        for draw in range(6):
            hits = []
            for seed in seeds[draw]:
                ranks = reports[seed].ranks
                for video in chosen[draw]:
                    if way == "v2t":
                        hits.append(ranks.v2t[video] <= depth)
                        continue
                    own = zip(ranks.t2v, ranks.video, strict=True)
                    hits += [rank <= depth for rank, of in own if of == video]
            wanted.append(100 * np.mean(hits))
        np.testing.assert_allclose(sample.draws[f"{way} R@{depth}"], wanted)


def test_draws_of_a_subset_are_of_its_own_videos_alone(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "DRAWS", 6)
    reports = [report_of(plan, method) for method in (BASELINE, UNI)]
    tag, pairs = next(iter(reports[0].ranks.tagged.items()))
    members = sorted({reports[0].ranks.video[pair] for pair in pairs})
    chosen = np.random.default_rng(0).integers(0, len(members), (6, len(members)))
    seeds = np.random.default_rng([1, 2]).integers(0, 2, (6, 2))
    wanted = []
    for draw in range(6):
        hits = []
        for seed in seeds[draw]:
            ranks = reports[seed].ranks
            for member in chosen[draw]:
                own = [pair for pair in pairs if ranks.video[pair] == members[member]]
                hits += [ranks.t2v[pair] <= 1 for pair in own]
        wanted.append(100 * np.mean(hits))
    np.testing.assert_allclose(subset_of(reports, tag).draws["t2v R@1"], wanted)


@pytest.mark.parametrize("method", [BASELINE, UNI])
def test_nothing_pruned_is_the_checkpoint_itself(
    plan: Plan, held: HeldOut, method: str, tmp_path: Path
) -> None:
    dense = report_of(plan, method)
    whole = pruned(plan.out / method / "seed0", Cut(0.0), tmp_path, held)
    assert whole.census.zeros == 0
    known = replace(dense.protocol, left_out={})  # of the training, too few for another batch
    assert whole.report == replace(dense, protocol=known)
    most = pruned(plan.out / method / "seed0", Cut(0.95), tmp_path, held)
    assert most.census.zeros == round(0.95 * most.census.prunable)
    assert most.report.ranks != dense.ranks
    assert most.report.protocol.unlike(dense.protocol) == {}


@pytest.mark.parametrize(
    ("method", "name", "alpha"), [(BASELINE, "range", 0.6), (PLUS, "max", 0.2)]
)
def test_the_checkpoints_own_alpha_gives_its_own_figures(
    plan: Plan, held: HeldOut, method: str, name: str, alpha: float, tmp_path: Path
) -> None:
    sums = alpha_sums(plan.out / method / "seed0", tmp_path, held)
    report, place = report_of(plan, method), ALPHAS.index(alpha)
    assert sums[name]["test t2v"][place] == pytest.approx(report.t2v["SumR"])
    assert sums[name]["test v2t"][place] == pytest.approx(report.v2t["SumR"])
    for way in ("val t2v", "val v2t", "test t2v", "test v2t"):
        for end in (0, -1):  # one part alone is ranked the same, whatever it is divided by
            assert sums["range"][way][end] == sums["max"][way][end]
        assert len(sums["range"][way]) == 11
    assert alpha_sums(plan.out / method / "seed0", tmp_path, held) == sums


def test_a_model_without_concepts_has_no_alpha(plan: Plan, held: HeldOut, tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"embedding": 8, "hidden": 6, "filters": 4, "latent": 12, "concepts": 0}
    Config(features=96, words=16, **sizes).build().save_pretrained(tmp_path)
    shutil.copy(plan.out / BASELINE / "seed0" / METRICS, tmp_path / METRICS)
    with pytest.raises(DataError, match=r"has no concepts.*hybrid space"):
        alpha_sums(tmp_path, tmp_path / "alpha", held)


def test_a_result_of_other_weights_is_measured_again(
    plan: Plan, held: HeldOut, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "seed0"
    shutil.copytree(plan.out / PLUS / "seed0", checkpoint)
    pruned(checkpoint, Cut(0.5), tmp_path, held)
    written = (tmp_path / "0.5.json").stat().st_mtime_ns
    pruned(checkpoint, Cut(0.5), tmp_path, held)
    assert (tmp_path / "0.5.json").stat().st_mtime_ns == written
    fields = json.loads((checkpoint / METRICS).read_text())
    fields["protocol"]["fingerprint"] = "of other weights"
    (checkpoint / METRICS).write_text(json.dumps(fields))
    pruned(checkpoint, Cut(0.5), tmp_path, held)
    assert (tmp_path / "0.5.json").stat().st_mtime_ns > written


def test_the_command_writes_tables_and_plots_and_a_second_one_measures_nothing(plan: Plan) -> None:
    settings = [f"--set={n}={v}" for n, v in SMALL.items() if n != "options.size"]
    command = ["table", "dual-encoding-pp", "--size", "tiny", "--seeds", "1", *settings]
    done = CliRunner().invoke(app, [*command, "--out", str(plan.out)])
    assert done.exit_code == 0, done.output
    text = (plan.out / "table.md").read_text()
    assert text in done.output
    for start in ("| DE | Dual Encoding as released | 1.000 (", "| [F] | [C], 0.22 of weights and"):
        assert start in text
    assert (
        "The paper's figures are of the whole test split of msrvtt-official, which is not what "
        "was measured here, so they are left out." in text
    )
    padding = next(row for row in text.splitlines() if row.startswith("| padding |"))
    assert "| rank by rank the same |" in padding
    assert text.count("rank by rank the same") < 2 + len(STRATEGIES), "not said of a row itself"
    assert "v2t R@5 (grouped)" in text
    assert "(any)" not in text, "the paper's"
    tables = json.loads((plan.out / "table.json").read_text())
    assert tables["v2t"] == "grouped"
    assert [row["name"] for row in tables["one at a time"]] == ["none", *STRATEGIES]
    alphas = json.loads((plan.out / "alpha.json").read_text())
    assert alphas["alphas"] == list(ALPHAS)
    curve = json.loads((plan.out / "sparsity.json").read_text())[UNI]
    assert curve[0]["figures"]["SumR"] == pytest.approx(tables["rows"][3]["figures"]["SumR"])
    assert [row["nonzero"] for row in curve] == sorted((r["nonzero"] for r in curve), reverse=True)
    for name in ("alpha.png", "sparsity.png"):
        assert (plan.out / name).stat().st_size > 10_000

    def written() -> dict[Path, int]:
        files = [*plan.out.glob("pruned/**/*.json"), *plan.out.glob("alpha/**/*.json")]
        files += plan.out.glob("**/model.safetensors")
        return {path: path.stat().st_mtime_ns for path in files}

    before = written()
    assert len(before) == 9 + 3 + 20 + 2  # trained, [D] to [F], the curve, alphas of two
    assert make_table(plan, True, print)[0] == text
    assert written() == before


def test_runs_of_another_rule_of_video_to_text_are_refused(plan: Plan) -> None:
    other = replace(plan, changes={**SMALL, "v2t": "any"})
    message = r"seed0 was measured with v2t=grouped.* by v2t=any; give --set v2t=grouped.*--out"
    with pytest.raises(DataError, match=message):
        read_table(other)


def test_an_unknown_table_is_named(tmp_path: Path) -> None:
    unknown = Plan(family="vip", benchmark="toybox", out=tmp_path)
    with pytest.raises(ConfigError, match=r"no table named 'vip'; there are: dual-encoding-pp, m"):
        jobs_of(unknown)
