"""A lock in an object store: a small object that its owner writes anew again and again.

It is made and changed by conditional writes alone, so of two owners one gets it. Whoever is killed
stops renewing it, and when it is older than it says it may be, the next one takes it over, again by
a conditional write. Ages are differences of times that the store itself gave, as clocks differ.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from reeltune.errors import LibraryError, StoreError
from reeltune.storage.object_path import ObjectPath, Stamp

SECONDS = 30.0  # that a lock holds after it was last renewed
BEATS = 6  # how often it is renewed in that time
SAFE = 2 / 3  # the part of that time in which its owner goes on writing without a renewal


class HeldError(Exception):
    """Another owner has the lock."""

    def __init__(self, owner: Mapping[str, Any], age: float, seconds: float) -> None:
        super().__init__(f"held by {dict(owner)}")
        self.owner = owner
        self.age = age  # s since it was renewed
        self.left = max(seconds - age, 0.0)  # s until it may be taken over, unless it is renewed


@dataclass
class Lease:
    """A lock that this process has."""

    path: ObjectPath
    owner: Mapping[str, Any]
    seconds: float
    state: Stamp
    renewed: float  # by the monotonic clock, before the last renewal was asked for
    taken_from: Mapping[str, Any] | None = None  # the owner that did not renew it any more
    stop: threading.Event = field(default_factory=threading.Event)

    def keep(self) -> None:
        """Renew until told to stop, or until somebody else has it."""
        while not self.stop.wait(self.seconds / BEATS):
            begun = time.monotonic()
            with suppress(StoreError):  # the next attempt may come through
                made = self.path.write(_content(self.owner, self.seconds), self.state)
                if made is None:
                    self.renewed = -float("inf")
                    return
                self.state, self.renewed = made, begun

    def require(self) -> None:
        """Raise LibraryError where the lock is not safely held any more."""
        if time.monotonic() - self.renewed > SAFE * self.seconds:
            raise LibraryError(
                f"{self.path.parent} is not written any further, as its lock could not be renewed "
                "in time and another process may have it by now; what is stored is sound: run the "
                "command again"
            )


_held: list[Lease] = []


def require_held(path: ObjectPath) -> None:
    """Raise LibraryError where this process has lost the lock of a folder that a path lies in."""
    for one in list(_held):
        if f"{path}/".startswith(f"{one.path.parent}/"):
            one.require()


@contextmanager
def lease(path: ObjectPath, owner: Mapping[str, Any], seconds: float = SECONDS) -> Iterator[Lease]:
    """Hold the lock at `path` as `owner`; raises HeldError where another one has it."""
    held = _taken(path, owner, seconds)
    _held.append(held)
    beat = threading.Thread(target=held.keep, daemon=True)
    beat.start()
    try:
        yield held
    finally:
        held.stop.set()
        beat.join()
        _held.remove(held)
        with suppress(StoreError):  # it then runs out
            path.write(_content({}, 0.0), held.state)


def _taken(path: ObjectPath, owner: Mapping[str, Any], seconds: float) -> Lease:
    begun, content = time.monotonic(), _content(owner, seconds)
    if state := path.write(content, "create"):
        return Lease(path, owner, seconds, state, begun)
    found, known = path.read()
    before, lasts = _parsed(found)
    age = 0.0 if lasts == 0 else _now(path) - known.st_mtime_ns / 1e9
    if age < lasts:
        raise HeldError(before, age, lasts)
    begun = time.monotonic()
    if state := path.write(content, known):
        return Lease(path, owner, seconds, state, begun, before or None)
    found, _ = path.read()
    raise HeldError(_parsed(found)[0], 0.0, seconds)  # which was quicker


def _now(path: ObjectPath) -> float:
    """What time it is for the store, in s since 1970; its times are of whole seconds."""
    probe = path.parent / f"{path.name}.clock"
    probe.write(b"")
    return probe.stat().st_mtime_ns / 1e9


def _content(owner: Mapping[str, Any], seconds: float) -> bytes:
    """A lock; one that nobody holds lasts no time. The nonce tells states apart."""
    return json.dumps({"owner": owner, "seconds": seconds, "nonce": time.time_ns()}).encode()


def _parsed(content: bytes) -> tuple[dict[str, Any], float]:
    """Whose lock it is, and how long it holds; a damaged one holds as long as ours."""
    try:
        found = json.loads(content)
        return dict(found["owner"]), float(found["seconds"])
    except (ValueError, KeyError, TypeError):
        return {}, SECONDS
