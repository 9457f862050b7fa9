"""A run that is killed while it writes its last files, or its log, loses nothing by it."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

from reeltune.evaluation.report_file import read_fields, write_fields
from reeltune.recipes.read import read_recipe
from reeltune.recipes.stored import as_stored, stored_recipe, write_recipe
from reeltune.training.log import Log, read_log


class KilledError(Exception):
    """Stands for SIGKILL before a file that is written takes its place."""


def kill(_: int) -> NoReturn:
    raise KilledError


def test_a_report_that_is_not_whole_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", kill)
    with pytest.raises(KilledError):
        write_fields(tmp_path / "metrics.json", {"kind": "retrieval"})
    assert list(tmp_path.iterdir()) == []


def test_a_log_is_whole_while_a_resumed_run_takes_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path, 0, 0)
    for step in range(1, 4):
        log.write("step", step, {"loss": 1.0})
    log.close()
    whole = read_log(tmp_path)
    monkeypatch.setattr(os, "fsync", kill)
    with pytest.raises(KilledError):
        Log(tmp_path, 2, 0)
    assert read_log(tmp_path) == whole


def test_a_recipe_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = as_stored(read_recipe("toybox/vop"))
    write_recipe(settings, tmp_path)
    monkeypatch.setattr(os, "fsync", kill)
    with pytest.raises(KilledError):
        write_recipe(settings, tmp_path)
    assert stored_recipe(tmp_path) == read_recipe("toybox/vop")


def test_a_report_goes_through_a_link_to_where_it_leads(tmp_path: Path) -> None:
    there, link = tmp_path / "there.json", tmp_path / "link.json"
    there.write_text("old")
    link.symlink_to(there)
    write_fields(link, {"kind": "retrieval"})
    assert link.is_symlink()
    assert read_fields(there) == {"kind": "retrieval"}
