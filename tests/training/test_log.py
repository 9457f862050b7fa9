"""The log: a line per step and epoch, and none twice."""

import importlib.util
from pathlib import Path

import pytest

from reeltune.errors import ConfigError
from reeltune.training.log import LOG, Log, read_log


def written(folder: Path) -> list[tuple[str, int]]:
    return [(line["kind"], line["step"]) for line in read_log(folder)]


def fill(folder: Path) -> None:
    """Two epochs of two steps and one more step."""
    log = Log(folder, 0, 0)
    for step in range(1, 6):
        log.write("step", step, {"loss": 1 / step})
        if step in (2, 4):
            log.write("epoch", step, {"epoch": step / 2 - 1})
    log.close()


def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    fill(tmp_path)
    lines = read_log(tmp_path)
    assert lines[0] == {"kind": "step", "step": 1, "loss": 1.0}
    assert lines[2] == {"kind": "epoch", "step": 2, "epoch": 0.0}
    assert [line["loss"] for line in lines if line["kind"] == "step"] == [
        1 / n for n in range(1, 6)
    ]


@pytest.mark.parametrize(
    ("steps", "epochs", "kept"), [(5, 2, 7), (4, 2, 6), (4, 1, 5), (3, 1, 4), (2, 0, 2), (0, 0, 0)]
)
def test_what_is_done_again_is_dropped(tmp_path: Path, steps: int, epochs: int, kept: int) -> None:
    """(4, 1): killed after the validation of an epoch, before its state was written."""
    fill(tmp_path)
    whole = written(tmp_path)
    Log(tmp_path, steps, epochs).close()
    assert written(tmp_path) == whole[:kept]


def test_a_half_written_line_is_passed_over(tmp_path: Path) -> None:
    fill(tmp_path)
    whole = written(tmp_path)
    with (tmp_path / LOG).open("a") as file:
        file.write('{"kind": "step", "st')
    assert written(tmp_path) == whole
    log = Log(tmp_path, 5, 2)
    log.write("step", 6, {})
    log.close()
    assert written(tmp_path) == [*whole, ("step", 6)]


def test_lines_of_something_else_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path)
    whole = written(tmp_path)
    with (tmp_path / LOG).open("a") as file:
        file.write('{"kind": "note", "step": 1}\n{"kind": "step"}\n{"kind": ["step"]}\n[1]\n')
    Log(tmp_path, 5, 2).close()
    assert written(tmp_path) == whole


def test_a_folder_without_a_log_has_no_lines(tmp_path: Path) -> None:
    assert read_log(tmp_path) == []


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="it is installed")
def test_tensorboard_is_named_where_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"TensorBoard is not installed; pip install tensorboard"):
        Log(tmp_path, 0, 0, tensorboard=True)
