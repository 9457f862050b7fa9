"""A library has one precision, in which all of its frames are read."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reeltune import Library
from reeltune.cli.app import app
from reeltune.models.opening.open import open_model
from reeltune.models.opening.precision import VARIABLE
from reeltune.search.ingest import Choice, index
from reeltune.search.reindex import reindex
from reeltune.search.store.manifest import Manifest
from reeltune.search.store.table import open_table
from reeltune.storage.place import place


def vectors(folder: Path) -> np.ndarray:
    """Those of all moments, by path and time."""
    rows = open_table(place(str(folder))).to_table(columns=["path", "start", "vector"])
    ordered = rows.sort_by([("path", "ascending"), ("start", "ascending")])
    return np.array(ordered["vector"].to_pylist(), dtype=np.float32)


def test_a_library_stays_in_the_precision_that_it_was_made_in(
    tmp_path: Path, videos: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {}
    turns = (("float32", "bfloat16"), ("bfloat16", "int8"), ("int8", "float32"))
    for precision, other in turns:
        folder = tmp_path / precision
        first, *others = sorted(videos.iterdir())
        monkeypatch.setenv(VARIABLE, precision)
        assert index([str(first)], str(folder), Choice(model=model)).precision == precision
        monkeypatch.setenv(VARIABLE, other)
        report = index([str(videos)], str(folder), Choice(model=model))
        assert (report.precision, len(report.indexed)) == (precision, len(others))
        assert Manifest.read(place(str(folder))).precision == precision
        assert Library(folder).search("a dog")
        made[precision] = vectors(folder)
    for coarse in ("bfloat16", "int8"):
        assert (made["float32"] * made[coarse]).sum(1).min() > 0.999
        assert not np.array_equal(made["float32"], made[coarse])
    assert not np.array_equal(made["bfloat16"], made["int8"])


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_precision_is_told_and_changed_by_reindexing(
    tmp_path: Path, videos: Path, model: str, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    folder = tmp_path / "lib"
    monkeypatch.setenv(VARIABLE, precision)
    index([str(videos)], str(folder), Choice(model=model))
    told = CliRunner().invoke(app, ["library", "info", str(folder), "--json"])
    assert json.loads(told.stdout)["precision"] == precision
    assert CliRunner().invoke(app, ["library", "verify", str(folder)]).exit_code == 0
    monkeypatch.setenv(VARIABLE, "float32")
    assert reindex(place(str(folder)), model).in_use
    assert Manifest.read(place(str(folder))).precision == "float32"
    assert "precision" not in (folder / "library.json").read_text()  # as before there was it
    plain = open_model(model, device="cpu")
    assert Library(folder).manifest.fingerprint == plain.fingerprint
