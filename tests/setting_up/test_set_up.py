"""scripts/set_up.py makes a whole environment, or one that the next call does not trust."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_checkout import start_and_hold, start_set_up

import set_up

MARK = Path(".venv") / set_up.MARK


def versions(checkout: Path) -> dict[str, str]:
    python = checkout / ".venv" / "bin" / "python"
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True)
    return {one["name"]: one["version"] for one in json.loads(listed.stdout)}


def test_a_failed_step_is_named_and_the_next_call_begins_anew(checkout: Path) -> None:
    lock = checkout / "locks" / "dev.txt"
    right = lock.read_text()
    lock.write_text(right[:-8] + "0000000\n")
    failed = start_set_up(checkout)
    said, _ = failed.communicate()
    assert failed.returncode == 1
    assert "set-up: 1 packages, each by version and hash" in said
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in said
    assert "that step failed with code 1, for the reason above; mend it and run it again" in said
    assert json.loads((checkout / MARK).read_text()) == {}

    lock.write_text(right)
    (checkout / ".venv" / "left").write_text("by the set-up before")
    again = start_set_up(checkout)
    said, _ = again.communicate()
    assert again.returncode == 0, said
    assert "set-up: .venv is unfinished or made from something else" in said
    assert "set-up: torch==9, as TORCH asks\nset-up: torch 9+cpu for CPUs is installed" in said
    assert "set-up: Reeltune itself, as it lies here" in said
    assert not (checkout / ".venv" / "left").exists()
    assert versions(checkout).items() >= {"part": "2", "small": "1", "torch": "9"}.items()

    quiet = start_set_up(checkout)
    assert quiet.communicate() == ("", None)
    assert quiet.returncode == 0


def test_after_a_kill_the_next_call_waits_for_what_still_runs_and_begins_anew(
    checkout: Path,
) -> None:
    killed = start_and_hold(checkout)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert json.loads((checkout / MARK).read_text()) == {}

    stopped = start_set_up(checkout)
    assert stopped.stdout is not None
    assert "another one is at work here" in stopped.stdout.readline()
    stopped.send_signal(signal.SIGINT)
    assert stopped.communicate()[0] == "set-up: stopped; the next one begins anew\n"
    assert stopped.returncode == 1

    again = start_set_up(checkout)
    assert again.stdout is not None
    assert again.stdout.readline() == ("set-up: another one is at work here; waiting for its end\n")
    (checkout / "wait").unlink()  # now the pip of the killed one ends
    assert "set-up: .venv is unfinished or made from something else" in again.stdout.readline()
    said, _ = again.communicate()
    assert again.returncode == 0, said
    assert versions(checkout).items() >= {"part": "2", "small": "1", "torch": "9"}.items()
    killed.communicate()


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_an_environment_of_somebody_s_own_is_left_alone(checkout: Path, kind: str) -> None:
    own = checkout / "own"
    own.mkdir()
    (own / "kept").write_text("mine")
    if kind == "folder":
        own.rename(checkout / ".venv")
    else:
        (own / set_up.MARK).write_text("{}")
        (checkout / ".venv").symlink_to(own)
    refused = start_set_up(checkout)
    said, _ = refused.communicate()
    assert refused.returncode == 1
    assert "was not made by a set-up of this kind" in said
    assert "move it away or remove it" in said
    assert (checkout / ".venv" / "kept").read_text() == "mine"


def test_a_change_of_what_it_is_made_from_is_seen(checkout: Path) -> None:
    before = set_up.source(checkout)
    assert set_up.is_made_from(before, dict(before))
    settings = checkout / "pyproject.toml"
    settings.write_text(settings.read_text() + "\n[tool.ruff]\nline-length = 100\n")
    assert set_up.source(checkout) == before  # what a tool reads is no part of an environment
    settings.write_text(settings.read_text().replace('version = "1"', 'version = "2"'))
    assert not set_up.is_made_from(set_up.source(checkout), before)
    settings.write_text(settings.read_text().replace('version = "2"', 'version = "1"'))
    assert set_up.is_made_from(set_up.source(checkout), before)
    with (checkout / "locks" / "dev.txt").open("a") as lock:
        lock.write("other==1\n")
    assert not set_up.is_made_from(set_up.source(checkout), before)


def test_a_choice_holds_until_another_is_named(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH", "torch==2.14.1")
    chosen = {**set_up.source(checkout), "PYTHON": "3.12"}
    monkeypatch.delenv("TORCH")
    assert set_up.is_made_from(set_up.source(checkout), chosen)
    monkeypatch.setenv("TORCH", set_up.TORCH)
    assert not set_up.is_made_from(set_up.source(checkout), chosen)
    monkeypatch.delenv("TORCH")
    monkeypatch.setenv("PYTHON", sys.executable)
    assert not set_up.is_made_from(set_up.source(checkout), chosen)


@pytest.mark.parametrize("text", [None, "", "{", "{}"])
def test_no_mark_or_half_a_mark_is_trusted(checkout: Path, text: str | None) -> None:
    if text is not None:
        (checkout / set_up.MARK).write_text(text)
    found = set_up.read_mark(checkout)
    assert found == (None if text is None else {})
    assert not set_up.is_made_from(set_up.source(checkout), found)


def test_another_python_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_up, "PYTHONS", ((3, 98), (3, 99)))
    with pytest.raises(set_up.SetUpError, match=r"this is Python 3\.\d+\.\d+, .* for 3.98 to 3.99"):
        set_up.require_python()


def test_packages_of_a_lock_are_counted_once_for_all_their_markers(checkout: Path) -> None:
    lock = checkout / "locks" / "dev.txt"
    lock.write_text(
        "a==1 ; x \\\n    --hash=sha256:1\na==2 ; y \\\n    --hash=sha256:2\n# via b==3\n"
    )
    assert set_up.names_in(lock) == ["a"]
    assert os.linesep not in set_up.names_in(lock)[0]
