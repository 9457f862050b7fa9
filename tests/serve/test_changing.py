"""Searches while the library changes: each answer is that of a state that the library was in."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from reeltune import Library
from reeltune.search.hit_fields import fields_of
from reeltune.search.ingest import Choice, index
from reeltune.serve.settings import Settings
from serve.ended_job import ended
from serve.running import running
from waiting import until

Clip = Callable[..., Path]
ROUNDING = 1e-6
WORDS = ("a red thing", "blue", "a purple dog", "the yellow sea")
SUBTITLES = "1\n00:00:00,000 --> 00:00:02,000\nA purple dog says hello\n"
CLIENTS = 4
AT_LEAST = 5  # answers that each client waits for in each state
LONG = 300.0  # s, after which a test gives up


@dataclass(frozen=True)
class Asked:
    """A search over HTTP, and between which times it was answered."""

    words: str
    begun: float
    ended: float
    status: int
    answer: dict[str, Any]


@dataclass(frozen=True)
class Change:
    """When the library changed, and what it answers from then on."""

    begun: float
    ended: float
    hits: dict[str, list[dict[str, Any]]]  # by the words


@pytest.fixture
def place(tmp_path: Path, clip: Clip, exported_model: str) -> Path:
    """A library of three videos, of which one has words, and a fourth beside it."""
    place = tmp_path.resolve()
    clip(place / "root" / "old" / "red.mp4", (200, 20, 20), (90, 20, 20), seconds=5)
    clip(place / "root" / "old" / "blue.mp4", (20, 20, 200), (20, 20, 90), seconds=5)
    clip(place / "root" / "old" / "said.mp4", (20, 200, 20))
    (place / "root" / "old" / "said.srt").write_text(SUBTITLES)
    clip(place / "root" / "new" / "yellow.mp4", (200, 200, 20), (200, 20, 200), seconds=5)
    index([place / "root" / "old"], place / "lib", Choice(model=exported_model, speech="none"))
    return place


@pytest.fixture
def server(place: Path) -> Iterator[httpx.Client]:
    with running(Settings(library=place / "lib", roots=(place / "root",))) as client:
        yield client


def answers(library: Path) -> dict[str, list[dict[str, Any]]]:
    """What a library that was just opened answers, as JSON has it."""
    opened = Library(library)
    hits = {words: opened.search(words, k=50, fold=False) for words in WORDS}
    found = {words: [*map(fields_of, own)] for words, own in hits.items()}
    return cast(dict[str, list[dict[str, Any]]], json.loads(json.dumps(found)))


def add(server: httpx.Client, folder: Path) -> None:
    """Bring in a folder by a job, in its own process."""
    wanted = {"kind": "index", "paths": [str(folder)]}
    job = server.post("/api/jobs", json=wanted).raise_for_status().json()
    job = ended(server, job, LONG)
    assert (job["state"], len(job["result"]["indexed"])) == ("done", 1), job


def remove(server: httpx.Client, name: str) -> None:
    """Take a video out."""
    (file,) = (one for one in server.get("/api/files").json()["items"] if name in one["path"])
    server.delete(f"/api/files/{file['id']}").raise_for_status()


def searched(url: str, number: int, stop: threading.Event, into: list[Asked]) -> None:
    """What one client is answered until it is told to stop."""
    with httpx.Client(base_url=url, timeout=LONG) as client:
        while not stop.is_set():
            words = WORDS[(len(into) + number) % len(WORDS)]
            begun = time.monotonic()
            wanted = {"words": words, "top": 50, "fold": False}
            answer = client.post("/api/search", json=wanted)
            into.append(Asked(words, begun, time.monotonic(), answer.status_code, answer.json()))


def is_near(one: Any, other: Any) -> bool:
    """Whether two answers are the same up to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_near(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_near, one, other))
    if isinstance(one, float) and isinstance(other, float | int):
        return abs(one - other) <= ROUNDING
    return bool(one == other)


def possible(asked: Asked, changes: Sequence[Change]) -> list[int]:
    """The states that the library was in while a search went on: the first one is after the first
    change, which is that it was made."""
    first = sum(change.ended <= asked.begun for change in changes) - 1
    last = sum(change.begun <= asked.ended for change in changes) - 1
    return [*range(first, last + 1)]


def until_more(found: Sequence[list[Asked]]) -> None:
    """Wait until each client was answered several times more."""
    wanted = [len(own) + AT_LEAST for own in found]
    until(lambda: all(len(own) >= count for own, count in zip(found, wanted, strict=True)))


def test_a_search_during_changes_answers_a_state_that_existed(
    server: httpx.Client, place: Path
) -> None:
    steps: list[Callable[[], None]] = [
        lambda: add(server, place / "root" / "new"),
        lambda: remove(server, "red.mp4"),
        lambda: remove(server, "said.mp4"),
    ]
    changes = [Change(0.0, 0.0, answers(place / "lib"))]
    found: list[list[Asked]] = [[] for _ in range(CLIENTS)]
    stop = threading.Event()
    url = str(server.base_url)
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients: list[Future[None]] = [
            pool.submit(searched, url, number, stop, own) for number, own in enumerate(found)
        ]
        try:
            until_more(found)
            for step in steps:
                begun = time.monotonic()
                step()
                ended = time.monotonic()
                changes.append(Change(begun, ended, answers(place / "lib")))
                facts = server.get("/api/library").json()
                assert facts["files"] == len(Library(place / "lib").files())
                until_more(found)
        finally:
            stop.set()
        for client in clients:
            client.result()
    for before, after in pairwise(changes):
        assert not any(is_near(before.hits[words], after.hits[words]) for words in WORDS)
    seen = set[int]()
    for asked in [one for own in found for one in own]:
        assert asked.status == 200, asked
        states = possible(asked, changes)
        fits = [
            state
            for state in states
            if is_near(asked.answer["hits"], changes[state].hits[asked.words])
        ]
        assert fits, (states, asked.words, asked.answer["hits"])
        seen |= {*fits}
    assert seen == {*range(len(changes))}
