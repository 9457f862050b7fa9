"""Benchmarks say of themselves how they are run, and their lines are compared and shown."""

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
MACHINE = {"cpu": "a", "cores": 2, "python": "3.11.7"}


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def write_lines(file: Path, *lines: dict[str, Any]) -> Path:
    about = {"benchmark": "index", "arguments": [], "question": "indexing?", "machine": MACHINE}
    file.write_text("".join(f"{json.dumps({**about, **one})}\n" for one in lines))
    return file


@pytest.mark.parametrize("file", sorted(FOLDER.glob("bench_*.py")), ids=lambda file: file.stem)
def test_what_a_benchmark_says_of_its_runs_can_be_read_without_running_it(file: Path) -> None:
    tree = ast.parse(file.read_text())
    said = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id in ("QUICK", "RUNS", "FIGURES"):
                said[target.id] = ast.literal_eval(node.value)
    assert (ast.get_docstring(tree) or "").splitlines()[0].strip()
    assert all(isinstance(one, str) for one in said.get("QUICK", []))
    assert all(isinstance(one, str) for some in said.get("RUNS", []) for one in some)
    assert {better for better, _ in said.get("FIGURES", {}).values()} <= {"lower", "higher"}


def test_a_figure_that_got_worse_is_told_and_one_of_another_machine_is_no_measure(
    tmp_path: Path,
) -> None:
    file = write_lines(
        tmp_path / "lines.jsonl",
        {"run": "1", "commit": "a1", "ratio": 1.0, "times_real_time": 20.0},
        {"run": "2", "commit": "b2", "ratio": 0.1, "machine": {**MACHINE, "cpu": "another"}},
        {"run": "3", "commit": "c3", "ratio": 1.1, "times_real_time": 10.0},
    )
    found = run("compare.py", "--results", str(file))
    assert found.returncode == 1
    assert "2 figures compared" in found.stdout
    assert "2.00 times as bad: bench_index.py, times_real_time: 20 at a1, 10 at c3" in found.stdout
    assert ", ratio" not in found.stdout  # 1.1 times as bad is noise
    assert ", ratio" in run("compare.py", "--results", str(file), "--tolerance", "1.05").stdout


def test_nothing_got_worse(tmp_path: Path) -> None:
    lines = [{"run": str(n), "commit": "a", "ratio": 1.0} for n in range(2)]
    found = run("compare.py", "--results", str(write_lines(tmp_path / "lines.jsonl", *lines)))
    assert found.returncode == 0
    assert "none is worse by more than 1.2 times" in found.stdout


def test_without_lines_it_says_what_to_run(tmp_path: Path) -> None:
    found = run("compare.py", "--results", str(tmp_path / "none.jsonl"))
    assert found.returncode == 1
    assert "run `make bench` first" in found.stderr


def test_a_benchmark_that_is_not_there_is_named_beside_those_that_are() -> None:
    found = run("run.py", "quick", "no-such")
    assert found.returncode == 1
    assert "no benchmark no-such: there are" in found.stderr


def test_a_run_is_left_out_where_its_folder_is_not_there_and_a_recipe_is_no_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    absent = import_module("run").absent
    assert absent(["--data", "../no-such-folder"])
    assert not absent(["--recipes", "toybox/vop"])
    assert not absent([])


def test_the_page_shows_the_newest_line_of_each_question(tmp_path: Path) -> None:
    lines = [{"run": f"2026-01-0{n}", "commit": f"c{n}", "ratio": float(n)} for n in (1, 2)]
    file, page = write_lines(tmp_path / "lines.jsonl", *lines), tmp_path / "page.md"
    found = run("page.py", "--results", str(file), "--page", str(page))
    assert found.returncode == 0, found.stderr
    text = page.read_text()
    assert "\nindexing?:\n\n| figure |" in text
    assert "| `ratio` | beside opening" in text
    assert "| 2 | lower |" in text
    assert "| 1 | lower |" not in text
    assert "`bench_index.py`: c2, 2026-01-02" in text
    assert (tmp_path / "page.png").stat().st_size > 1000
