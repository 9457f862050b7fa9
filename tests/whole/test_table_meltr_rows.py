"""`reeltune table meltr`: which rows it has, and which figures of the paper stand below them."""

from pathlib import Path

import pytest

from reeltune.errors import ConfigError
from reeltune.papers import meltr
from reeltune.papers.table.draws import Difference
from reeltune.papers.table.make import jobs_of, sections_of
from reeltune.papers.table.markdown import between, difference
from reeltune.papers.table.missing import missing_of
from reeltune.papers.table.plan import Plan
from reeltune.runs.describe import describe

SMALL = {"options.size": "tiny", "training.epochs": 1}


def plan_of(out: Path, benchmark: str = "toybox") -> Plan:
    return Plan(family="meltr", benchmark=benchmark, out=out, seeds=1, changes=SMALL)


def test_every_task_of_the_paper_has_rows_of_every_system_that_toybox_teaches(
    tmp_path: Path,
) -> None:
    found = {
        section.name.partition(" (")[0]: {one.name.partition(",")[0] for one in section.entries}
        for section in sections_of(plan_of(tmp_path))
    }
    every = {"univl", "violet", "all-in-one", "alpro"}
    assert found == {
        "Retrieval": every,
        "Captioning": {"univl-caption", "univl-caption-speech"},
        "Repeated action": every,
        "Transition": every,
        "What it is": every,
        "Sentiment": {"univl"},
        "Action recognition": every,
        "Pictures": {"resnet32"},
    }


def test_every_row_can_be_trained_in_a_folder_of_its_own_benchmark(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    jobs = jobs_of(plan)
    named = {job.folder.parent.relative_to(tmp_path).as_posix() for job in jobs}
    assert {job.recipe(plan).name.removeprefix("toybox/") for job in jobs} == named
    assert {"univl-meltr", "toybox-what/violet"} <= named, "Toybox's own are shared"
    assert missing_of(plan, jobs) == jobs


def test_a_row_is_compared_with_the_others_of_its_system_alone(tmp_path: Path) -> None:
    for section in sections_of(plan_of(tmp_path)):
        for entry in section.entries:
            system = entry.name.partition(",")[0]
            assert {one.partition(",")[0] for one in entry.against.values()} <= {system}


def test_the_papers_figures_are_those_of_its_tables() -> None:
    lines = [line for task in meltr.TASKS for line in meltr._of_papers(task).splitlines()]
    cells = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in lines}
    assert cells["youcook2/univl"][4] == "t2v R@1 33.7, t2v R@5 63.1, t2v R@10 74.8"
    assert cells["youcook2/univl"][3] == "t2v R@1 33.4, t2v R@5 62.5, t2v R@10 73.3"
    assert cells["msrvtt-9k/univl"][3:] == ["-", "t2v R@1 31.1, t2v R@5 55.7, t2v R@10 68.3"]
    assert cells["msrvtt-9k/all-in-one"][1] == "t2v R@1 37.9, t2v R@5 68.1, t2v R@10 77.1"
    assert cells["cmu-mosi/univl"][4] == "BA 85.3, F1 85.4, MAE 0.759, Corr 0.789"
    assert cells["msvd-qa/alpro"][1:] == ["accuracy 45.9", "-", "-", "accuracy 46.8"]
    assert cells["kinetics-400/violet"][1:] == ["top-1 72.4", "-", "-", "top-1 73.1"]
    assert cells["cifar-100/resnet32"][1:] == ["top-1 66.5", "-", "-", "top-1 69.2"]
    asked = ("tgif-action", "tgif-transition", "tgif-frame", "msvd-qa")
    assert {cells[f"{one}/violet"][4] for one in asked} == {"-"}, "Table 3 is not available"


def test_meltr_without_its_regulariser_is_a_row_beside_the_sum(tmp_path: Path) -> None:
    rows = {one.name: one for one in sections_of(plan_of(tmp_path))[0].entries}
    assert [name for name in rows if name.endswith("MELTR-")] == ["univl, MELTR-"]
    assert rows["univl, MELTR-"].against == rows["univl, MELTR"].against
    melting = rows["univl, MELTR-"].recipe(plan_of(tmp_path)).meltr
    assert melting is not None
    assert melting.step.gamma == 0


def test_sentiment_is_compared_by_all_figures_of_the_paper(tmp_path: Path) -> None:
    sections = {one.name: one for one in sections_of(plan_of(tmp_path))}
    assert sections["Sentiment (Table 6)"].compared == ("BA", "F1", "MAE", "Corr")


def test_errors_and_correlations_are_told_by_three_decimals() -> None:
    found = Difference(-0.0123, (-0.02, 0.004))
    assert difference("MAE", found) == "-0.012 (-0.020 to +0.004)"
    assert difference("BA", found) == "-0.0 (-0.0 to +0.0)"
    assert between("Corr", (0.1234, 0.2)) == "0.123-0.200"


def test_another_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^table meltr is measured on Toybox and its questions"):
        sections_of(plan_of(tmp_path, "msrvtt-9k"))


PUBLISHED = {  # parameters on the paper's benchmarks, all heads of the losses counted
    "univl": 199_535_989,
    "violet": 197_577_489,
    "all-in-one": 134_720_316,
    "resnet32": 470_004,
}


@pytest.mark.parametrize("task", meltr.TASKS, ids=lambda task: task.title)
def test_every_system_of_the_paper_is_described_for_every_task(task: meltr.Task) -> None:
    """On the last of the paper's benchmarks: on the others the models are the same, or nearly."""
    benchmark = task.papers[-1]
    for method in task.trios(benchmark):
        told = describe(f"{benchmark}/{method}-meltr")
        assert told["meltr"] > 100_000
        if benchmark in ("msrvtt-9k", "cifar-100"):
            assert told["total"] == PUBLISHED[method]
        else:
            assert told["total"] > 130_000_000
