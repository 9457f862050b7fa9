"""The programs in docs/evaluation.md run as printed."""

import re
from pathlib import Path

import numpy as np
import pytest

from oracles.slow_retrieval import card_for, pairs_of
from reeltune.evaluation.beside import write_scores

PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"


def programs() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_program_that_compares_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(programs()[0], str(PAGE), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 8
    assert lines[1].startswith("t2v R@1: ")
    assert lines[1].endswith("outside noise")


def test_the_program_that_reads_scores_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    videos = ["a", "b", "c", "d"]
    pairs = pairs_of(["a", "b", "c"])
    scores = np.eye(4)[[0, 1, 3]]
    write_scores(Path("scores.npy"), scores, pairs, videos, card_for(pairs, videos))
    (_, program) = programs()
    exec(compile(program, str(PAGE), "exec"), {})
    assert float(capsys.readouterr().out) == pytest.approx(200 / 3)
