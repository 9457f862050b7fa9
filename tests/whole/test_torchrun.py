"""The command line under torchrun: real processes that are stopped together and go on alone."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.training.checkpoint import STATE
from reeltune.training.log import read_log
from torchrun import begin, end

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
SMALL = ("options.size=tiny", "training.epochs=5", "training.batch=8")
GOES_ON = "stopped; run the same command again to go on where it stopped"
FEW = 3  # steps before Ctrl-C


def command(out: Path, recipe: str = "toybox/dual-encoding-meltr") -> list[str]:
    changes = [
        word
        for change in (*SMALL, "meltr.outer=recent", "config.dropout=0")
        for word in ("--set", change)
    ]
    return ["train", recipe, "--json", "--out", str(out), *changes]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int]:
    """A run of two processes that Ctrl-C stops in mid-epoch, what it said and its exit code."""
    out = tmp_path_factory.mktemp("runs") / "shared"
    running = begin(["-m", "reeltune", *command(out)])
    try:
        until = time.monotonic() + 600
        while len(read_log(out)) < FEW:
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < until
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT)
        printed, said = running.communicate(timeout=300)
    finally:
        end(running)
    assert printed == ""
    return out, said, running.returncode


def test_ctrl_c_ends_all_processes_with_a_state_and_one_line(
    stopped: tuple[Path, str, int],
) -> None:
    out, said, code = stopped
    assert code != 0
    assert said.count(GOES_ON) == 1, said
    assert said.count(" videos an epoch") == 1, said
    assert "RankError" not in said
    assert (out / STATE).is_file()
    assert not (out / "metrics.json").exists()


def test_one_process_goes_on_where_two_have_stopped(
    stopped: tuple[Path, str, int], tmp_path: Path
) -> None:
    """With the losses of one that had all batches itself: nothing is drawn but the late batch that
    judges MELTR, which has moved little so far."""
    out, *_ = stopped
    before = len(read_log(out))
    assert before >= FEW
    runs = [out, tmp_path / "alone"]
    for folder in runs:
        done = CliRunner().invoke(app, command(folder))
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["folder"] == str(folder)
    together, alone = ([line for line in read_log(f) if line["kind"] == "step"] for f in runs)
    assert [line["step"] for line in together] == [line["step"] for line in alone]
    for one, other in zip(together[:FEW], alone, strict=False):
        for name in ("triplet_latent", "concepts_text"):
            assert one[name] == pytest.approx(other[name], rel=1e-2), (one, other)
