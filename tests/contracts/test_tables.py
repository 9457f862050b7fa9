"""What every file in papers/ promises, and that a table is one file, here or anywhere."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from oracles.slow_retrieval import card_for, pairs_of
from reeltune.cli.app import app
from reeltune.errors import ConfigError
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.papers.table.contract import Table
from reeltune.papers.table.entry import Entry
from reeltune.papers.table.make import jobs_of, read_table, sections_of, table_named
from reeltune.papers.table.missing import missing_of
from reeltune.papers.table.plan import Plan
from reeltune.papers.table.row import Row
from reeltune.papers.vop import _parameters_plot
from reeltune.recipes.stored import as_stored, write_recipe
from reeltune.registry import find, names
from reeltune.runs.finished import METRICS
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe

SMALL = {"options.size": "tiny", "training.epochs": 1, "training.batch": 8}
RATES = """\
\"\"\"How fast VoP should learn.\"\"\"

from reeltune.papers.table.contract import Section, Table
from reeltune.papers.table.entry import Entry

RATES = (1e-3, 1e-2, 1e-1)
ROWS = [Entry(name=f"{r:g}", method="vop", changes={"training.lr": r}) for r in RATES]
TABLE = Table(
    said="intervals (95 %) by bootstrap over test videos and seeds.",
    sections=lambda plan: [
        Section(name="rates", entries=ROWS, compared=["SumR"], against={"0.001": "0.001"})
    ],
)
"""


@pytest.fixture(scope="module", params=names("papers"))
def family(request: pytest.FixtureRequest) -> str:
    return request.param


def plan_of(family: str, out: Path) -> Plan:
    return Plan(family=family, benchmark="toybox", out=out, seeds=2, changes=SMALL)


def test_a_file_says_in_whole_what_its_table_is(family: str) -> None:
    assert isinstance(table_named(family), Table)
    assert table_named(family).said.endswith(".")
    assert find("papers", family).__doc__


def test_a_row_that_no_paper_names_is_drawn_by_its_own_name(tmp_path: Path) -> None:
    row = Row(Entry(name="my_$row^", method="vop"), [], [report_of_noise()], {}, FACTS)
    figure = _parameters_plot([row, replace(row, facts={**FACTS, "trainable": 0})])
    figure.savefig(tmp_path / "parameters.png")
    assert [text.get_text() for text in figure.axes[0].texts] == [r"my_\$row^"]


def test_rows_have_names_of_their_own_and_are_compared_with_rows_that_there_are(
    family: str, tmp_path: Path
) -> None:
    for section in sections_of(plan_of(family, tmp_path)):
        rows = [entry.name for entry in section.entries]
        assert len(set(rows)) == len(rows)
        compared = {*section.against.values(), *(o for e in section.entries for o in e.against)}
        assert set(section.against.values()) <= set(rows)
        assert {row for entry in section.entries for row in entry.against.values()} <= set(rows)
        assert section.compared
        assert compared, "a row alone says little"


def test_every_run_of_a_table_is_checked_and_has_a_folder_of_its_own(
    family: str, tmp_path: Path
) -> None:
    plan = plan_of(family, tmp_path)
    jobs = jobs_of(plan)
    assert len({job.folder for job in jobs}) == len(jobs)
    assert {job.seed for job in jobs} - {None} == {0, 1}
    assert missing_of(plan, jobs[:2]) == jobs[:2]
    found = {json.dumps(job.recipe(plan).model_dump(mode="json")): job.folder for job in jobs}
    assert set(found.values()) == {job.folder for job in jobs}, "none is trained twice"


FACTS = {"trainable": 8, "total": 100}


def report_of_noise() -> Report:
    pairs = pairs_of([f"v{i}" for i in range(12)], [()] * 12)
    gallery = [pair.video for pair in pairs]
    scores = np.random.default_rng(0).standard_normal((12, 12))
    return retrieval_report(scores, pairs, gallery, card_for(pairs, gallery))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The dotted name of a table that is no file of the package."""
    package = tmp_path / "tables_of_mine"
    package.mkdir()
    (package / "rates.py").write_text(RATES)
    (package / "none.py").write_text("")
    (package / "broken.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "tables_of_mine.rates"


def test_a_table_from_anywhere_is_planned_made_and_found_by_its_dotted_name(
    elsewhere: str, tmp_path: Path
) -> None:
    plan = Plan(family=elsewhere, benchmark="toybox", out=tmp_path / "t", seeds=1, changes=SMALL)
    jobs = jobs_of(plan)
    folders = [job.folder.parent.name for job in jobs]
    assert folders == ["vop+lr-0.001", "vop", "vop+lr-0.1"], "0.01 is the recipe's own"
    assert missing_of(plan, jobs) == jobs
    run_recipe(jobs[0].recipe(plan), RunPlace(out=jobs[0].folder))
    for job in jobs[1:]:  # one run stands for all
        shutil.copytree(jobs[0].folder, job.folder)
        write_recipe(as_stored(job.recipe(plan)), job.folder)
    shutil.copytree(jobs[0].folder, jobs[0].folder.parent / "seed7")
    assert read_table(plan)[0].rows[0].folders == [jobs[0].folder], "the seeds of the plan alone"
    settings = [f"--set={name}={value}" for name, value in SMALL.items()]
    command = ["table", elsewhere, "--seeds", "1", "--out", str(plan.out), *settings]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    report = Report.read(jobs[0].folder / METRICS)
    total = report.t2v["SumR"] + report.v2t["SumR"]
    lines = done.stdout.splitlines()
    assert lines[0] == "# tables_of_mine.rates on toybox"
    assert lines[4] == "| row | SumR (v2t grouped) | SumR (v2t grouped), to 0.001 |"
    assert lines[6].startswith(f"| 0.001 | {total:.1f} (")
    assert lines[6].endswith("|  |"), "a row is not compared with itself"
    assert lines[7].endswith("| +0.0 (+0.0 to +0.0) |")
    assert [row["name"] for row in json.loads((plan.out / "table.json").read_text())["rates"]] == [
        *("0.001", "0.01", "0.1")
    ]


def test_a_module_that_is_no_table_or_is_not_there_is_named(elsewhere: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^tables_of_mine\.none has no table: its TABLE is to be"
    ):
        table_named("tables_of_mine.none")
    with pytest.raises(
        ConfigError,
        match=r"no table named 'tables_of_mine\.rats': Python finds no module tables_of",
    ):
        table_named("tables_of_mine.rats")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        table_named("tables_of_mine.broken")
