"""The process that does a job: `python -m reeltune.serve.job_process`, spoken to over its pipes.

One line of JSON says what to do. Lines of JSON come back: how far it is, and at last the result or
an error. When its input ends, because the job is to stop or the server is gone, it stops.
"""

import gc
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from reeltune.errors import ReeltuneError, in_short
from reeltune.training.interrupts import Raising, interrupt

PAUSE = 0.2  # s between two words about progress
Outlet = Callable[[dict[str, Any]], None]


@dataclass
class Told:
    """Progress that is told on."""

    tell: Outlet
    state: dict[str, Any] = field(default_factory=dict)
    last: float = 0.0

    def begin(self, files: int, size: int, work: str = "") -> None:
        """Tell of a new kind of work."""
        self.state = {"work": work, "files": files, "size": size, "done": 0, "path": ""}
        self.tell({"progress": self.state})

    def advance(self, path: str, size: int) -> None:
        """Tell of more that is done, but not too often."""
        self.state |= {"done": self.state["done"] + size, "path": path}
        if time.monotonic() - self.last > PAUSE:
            self.last = time.monotonic()
            self.tell({"progress": self.state})

    def recognise(self, path: str, done: int, size: int) -> None:
        """Reading a file to recognise it is no part of what is to be done."""


def index(wanted: dict[str, Any], tell: Outlet) -> dict[str, Any]:
    """Bring videos into the library; the report, and whether the run was stopped."""
    from reeltune.search.ingest import Choice
    from reeltune.search.ingest import index as run

    paths, library = wanted.pop("paths"), wanted.pop("library")
    report = run(paths, library, Choice(**wanted), Told(tell))
    return {"result": report.as_dict(), "stopped": report.interrupted}


class Steps:
    """Sees a training run, and tells of it on."""

    def __init__(self, tell: Outlet) -> None:
        self._told, self.said = Told(tell), list[str]()
        self._figures: dict[str, float] = {}

    def prepare(self, what: str, done: int, total: int) -> None:
        """Tell how far something before the training is."""
        self._tell(what, done, total, is_last=done == total)

    def say(self, sentence: str) -> None:
        """Keep a sentence for the result."""
        self.said.append(sentence)

    def begin(self, done: int, steps: int) -> None:
        """Tell that training begins."""
        self._tell("training", done, steps, is_last=True)

    def step(self, facts: dict[str, float]) -> None:
        """Tell of a step."""
        self._figures["loss"] = facts["loss"]
        now = self._told.state
        self._tell("training", now["done"] + 1, now["size"])

    def epoch(self, facts: dict[str, float]) -> None:
        """Tell of an epoch and its validation."""
        self._figures |= {name: facts[name] for name in ("epoch", "t2v R@1") if name in facts}
        self._tell("training", self._told.state["done"], self._told.state["size"], is_last=True)

    def _tell(self, work: str, done: int, size: int, is_last: bool = False) -> None:
        now = {"work": work, "files": size, "size": size, "done": done, "path": ""}
        self._told.state = now | {"figures": dict(self._figures)}
        if is_last:
            self._told.last = 0.0
        self._told.advance("", 0)


def tune(wanted: dict[str, Any], tell: Outlet) -> dict[str, Any]:
    """Tune a model by the captions in its folder; the verdict and the figures that it stands on."""
    from reeltune.runs.place import RunPlace
    from reeltune.runs.tune import tune as run

    out, watcher = Path(wanted["out"]), Steps(tell)
    place = RunPlace(out=out, device=wanted["device"], watcher=watcher)
    found = run(out / "captions.csv", out, wanted["model"], place)
    return {"result": found.as_dict() | {"run": wanted["run"], "said": watcher.said}}


def reindex(wanted: dict[str, Any], tell: Outlet) -> dict[str, Any]:
    """Make the library anew with another model; what became of it."""
    from reeltune.search.reindex import reindex as run

    library, model = Path(wanted["library"]), wanted["model"]
    done = run(library, model, wanted["device"], wanted["drop_missing"], Told(tell))
    return {"result": asdict(done), "stopped": done.interrupted}


def clips(wanted: dict[str, Any], tell: Outlet) -> dict[str, Any]:
    """Cut moments out into a zip; how many of them are in it."""
    from reeltune.serve.clips import packed
    from reeltune.storage.place import place

    ids, told = wanted["moments"], Told(tell)
    told.begin(len(ids), len(ids))

    def before(number: int, path: str) -> None:
        told.advance(path, int(number > 1))

    library, out = place(wanted["library"]), Path(wanted["out"])
    done = packed(library, ids, wanted["exact"], out, before)
    return {"result": {"clips": len(done.clips), "left_out": len(done.left_out)}}


KINDS = {"index": index, "tune": tune, "reindex": reindex, "clips": clips}


def main() -> None:
    """Do the one job that is asked for."""
    gc.set_threshold(10_000)  # as the command line does
    signal.signal(signal.SIGINT, Raising())
    orders, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not get between the lines
    order = json.loads(orders.readline())

    def tell(said: dict[str, Any]) -> None:
        answers.write(json.dumps(said).encode() + b"\n")
        answers.flush()

    threading.Thread(target=_stop_at_end, args=(orders,), daemon=True).start()
    try:
        tell(KINDS[order["kind"]](order["wanted"], tell))
    except KeyboardInterrupt:
        tell({"stopped": True})
    except ReeltuneError as error:
        tell({"error": str(error), "kind": type(error).__name__})
    except OSError as error:
        tell({"error": f"{error.filename or 'a file'}: {in_short(error)}", "kind": "OSError"})


def _stop_at_end(orders: BinaryIO) -> None:
    """Interrupt the job when the input has ended."""
    while os.read(orders.fileno(), 1 << 10):  # a buffered read holds a lock that no exit waits for
        pass
    interrupt()


if __name__ == "__main__":
    main()
