"""What `doctor` finds, and the warnings it draws from it."""

import copy
import json
import os
import socket
from io import StringIO

import pytest
import torch
from rich.console import Console

from reeltune.cli.doctor import doctor, doctor_report, warnings_about
from reeltune.registry import names


@pytest.fixture(scope="module")
def facts() -> dict[str, object]:
    return doctor()


def text_of(facts: dict[str, object]) -> str:
    console = Console(width=160, record=True, file=StringIO())
    console.print(doctor_report(facts))
    return console.export_text()


def test_facts_are_plain_and_of_this_machine(facts: dict) -> None:
    assert json.loads(json.dumps(facts)) == facts
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["machine"]["cores"] == os.cpu_count()
    assert facts["machine"]["memory_gib"] > 0.1
    assert len(facts["gpus"]) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
    assert set(facts["models"]) == set(names("models"))
    assert facts["models"]["clip"]["loads"]
    assert facts["decoder"]["starts"]


def test_no_network_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("doctor opened a connection")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert doctor()


def test_the_report_says_what_is_here(facts: dict) -> None:
    text = text_of(facts)
    for wanted in (facts["versions"]["reeltune"], facts["ffmpeg"]["version"], "model clip"):
        assert wanted in text
    assert "GPU" in text
    assert "can load, weights from a local folder or a hub id" in text
    assert "can be read" in text


def test_a_missing_reader_of_text_names_the_extra(facts: dict) -> None:
    lacks = "rapidocr is not installed; pip install 'reeltune[text]'"
    assert lacks in text_of({**facts, "text in pictures": {"lacks": lacks}})


@pytest.mark.parametrize(
    ("ffmpeg", "warned"),
    [
        ("8.1.1", True),
        ("n7.0.2-6", True),
        ("N-1234567-git", True),
        ("8.1.2", False),
        ("9.0", False),
    ],
)
def test_an_ffmpeg_with_a_known_hole_is_warned_of(facts: dict, ffmpeg: str, warned: bool) -> None:
    changed = copy.deepcopy(facts)
    changed["ffmpeg"]["version"] = ffmpeg
    found = [text for text in warnings_about(changed) if "CVE-2026-8461" in text]
    assert bool(found) == warned
    if warned:
        assert f"is {ffmpeg}; before 8.1.2" in found[0]
        assert found[0].endswith("pip install --upgrade av")


def test_every_other_lack_is_warned_of(facts: dict) -> None:
    changed = copy.deepcopy(facts)
    changed["models"]["clip"] = {
        "loads": False,
        "why": "No module named 'transformers'",
        "weights": None,
    }
    changed["folders"]["hub cache"]["free_gib"] = 0.4
    changed["decoder"]["no network"] = False
    changed["warnings"] = warnings_about(changed)
    text = text_of(changed)
    assert "model clip cannot load: No module named 'transformers'" in text
    assert "lacks here: no network; decode the files of strangers inside a container" in text
    assert "0.4 GiB are free where hub models are kept; set HF_HOME to a larger disk" in text
