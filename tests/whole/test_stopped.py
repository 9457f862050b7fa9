"""Runs that are stopped, and tables of which a run fails: real processes, real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reeltune.errors import ConfigError, DataError
from reeltune.papers.table.make import jobs_of
from reeltune.papers.table.missing import missing_of, train_missing
from reeltune.papers.table.plan import Job, Plan
from reeltune.recipes.read import read_recipe
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.training.checkpoint import STATE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
SMALL = {"options.size": "tiny", "training.epochs": 1, "training.batch": 8, "frames": 2}
GOES_ON = "stopped; run the same command again to go on where it stopped"


def reeltune(*arguments: object, out: Path, **changed: object) -> "subprocess.Popen[str]":
    """A command in a session of its own, as in a terminal of its own, that knows the tests."""
    changes = (f"--set={name}={value}" for name, value in {**SMALL, **changed}.items())
    command = [sys.executable, "-m", "reeltune", *map(str, arguments), "--out", str(out), *changes]
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )


def wait_for(what: Callable[[], bool], running: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 300
    while not what():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def naming(out: Path) -> list[int]:
    """Processes whose command line names the folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if str(out) in (place / "cmdline").read_text():
                found.append(int(place.name))
        except OSError:
            continue
    return found


def plan_of(out: Path, **changes: object) -> Plan:
    return Plan(family="vop", benchmark="toybox", out=out, seeds=1, changes={**SMALL, **changes})


def test_a_run_that_ctrl_c_stops_says_how_to_go_on_and_does(tmp_path: Path) -> None:
    out, log, gate = tmp_path / "run", tmp_path / "run" / "log.jsonl", tmp_path / "gate"
    gate.touch()
    waits = {"config.objective": "whole.waiting_loss", "config.objective_options.gate": gate}
    command = ("train", "toybox/vop", "--json")
    running = reeltune(*command, out=out, **waits)
    wait_for(lambda: log.is_file() and log.stat().st_size > 0, running)
    os.killpg(running.pid, signal.SIGINT)
    gate.unlink()
    _, said = running.communicate(timeout=300)
    assert running.returncode == 130, said
    assert said.splitlines()[-1] == GOES_ON
    assert (out / STATE).is_file()
    assert not (out / "metrics.json").exists()
    before = log.read_text().splitlines()
    again = reeltune(*command, out=out, **waits)
    found, said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert json.loads(found)["t2v"] == json.loads((out / "metrics.json").read_text())["t2v"]
    after = log.read_text().splitlines()
    assert after[: len(before)] == before
    assert len(after) > len(before)


def test_a_table_that_ctrl_c_stops_leaves_no_process_and_keeps_what_is_done(tmp_path: Path) -> None:
    out, endless = tmp_path / "table", {"training.epochs": 100_000}
    running = reeltune("table", "vop", "--seeds=1", "--no-sweep", "--jobs=2", out=out, **endless)
    wait_for(lambda: (out / "zero-shot" / "seed0" / "metrics.json").is_file(), running)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=300)
    assert running.returncode == 130, said
    assert said.splitlines()[-1] == GOES_ON
    assert naming(out) == []
    plan = plan_of(out, **endless)
    left = {job.method for job in missing_of(plan, jobs_of(plan))}
    assert "zero-shot" not in left
    assert {"vop-f", "vop-fc"} <= left
    assert not (out / "vop-fc").exists()


def test_the_first_run_that_fails_stops_the_table(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    jobs = [
        Job(m, 0, tmp_path / m / "seed0", tuple(SMALL.items())) for m in ("bias", "full", "vop")
    ]
    (tmp_path / "bias" / "seed0").mkdir(parents=True)
    (tmp_path / "bias" / "seed0" / STATE).write_text("no state")
    said: list[str] = []
    with pytest.raises(
        DataError,
        match=r"toybox/bias, seed 0, failed \(.*state\.safetensors cannot be "
        r"read .*\); the other runs were stopped, and the same command goes on where they are",
    ):
        train_missing(Plan(**{**vars(plan), "jobs": 1}), jobs, said.append)
    assert not (tmp_path / "full").exists()
    assert naming(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"training.batch": 25}, r"toybox/full: 24 videos, .* fill no batch of 25"),
        ({"training.lr": -1}, r"toybox/zero-shot: .*training\.lr: .*greater than or equal to 0"),
        ({"config.base": "tiny-clop"}, r"zero-shot: --set config\.base=tiny-clop: no model"),
        ({"options.size": "huge"}, r"toybox/zero-shot.*options\.size: .*'tiny', 'small' or 'base'"),
    ],
)
def test_what_can_be_known_is_said_before_the_first_run(
    tmp_path: Path, changes: dict[str, object], wanted: str
) -> None:
    plan = plan_of(tmp_path / "table", **changes)
    with pytest.raises(ConfigError, match=wanted):
        missing_of(plan, jobs_of(plan))
    assert list(tmp_path.iterdir()) == []


def test_a_table_whose_folder_cannot_be_made_starts_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    plan = plan_of(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"/file is a file, and .* is to be a folder"):
        missing_of(plan, jobs_of(plan))


def test_runs_of_other_settings_are_not_taken_for_those_of_the_table(tmp_path: Path) -> None:
    recipe = read_recipe("toybox/zero-shot", {"options.size": "tiny", "frames": 2})
    run_recipe(recipe, RunPlace(out=tmp_path / "zero-shot" / "seed0"))
    plan = plan_of(tmp_path)
    assert "zero-shot" not in {job.method for job in missing_of(plan, jobs_of(plan))}
    other = plan_of(tmp_path, frames=3)
    with pytest.raises(ConfigError, match=r"zero-shot/seed0 holds a run of other settings; give"):
        missing_of(other, jobs_of(other))
