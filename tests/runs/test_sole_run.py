"""Two processes never write their runs to one folder, and a killed one leaves no litter."""

import subprocess
import sys
from pathlib import Path

import pytest

from reeltune.errors import ConfigError
from reeltune.recipes.read import read_recipe
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.runs.tune import tune
from reeltune.storage.sole_run import sole_run

HOLD = """
import sys
from pathlib import Path
from reeltune.storage.sole_run import sole_run
with sole_run(Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with (
            pytest.raises(ConfigError, match=r"another process is writing its run to .*run; wait"),
            sole_run(tmp_path / "run"),
        ):
            pass
        first.kill()
    with sole_run(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_training_and_tuning_refuse_a_folder_that_is_written_to(tmp_path: Path) -> None:
    place = RunPlace(out=tmp_path / "run", data=tmp_path / "toybox")
    recipe = read_recipe("toybox/vop", {"options.size": "tiny"})
    with sole_run(place.out):
        with pytest.raises(ConfigError, match=r"another process is writing its run to"):
            run_recipe(recipe, place)
        with pytest.raises(ConfigError, match=r"another process is writing its run to"):
            tune(tmp_path / "captions.csv", tmp_path, "tiny-clip", place)
    assert not place.out.exists()


def test_what_a_killed_write_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    half = tmp_path / f".state.safetensors.{'0a' * 8}.tmp"
    kept = [tmp_path / name for name in ("notes.tmp", ".hidden", "state.safetensors")]
    for path in (half, *kept):
        path.write_text("x")
    with sole_run(tmp_path):
        assert not half.exists()
    assert sorted(tmp_path.iterdir()) == sorted(kept)
