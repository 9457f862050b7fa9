"""Spreads the work on files over the machines of a Ray cluster.

Each worker is an actor that decodes a file on its CPU, in the sandbox as ever, and encodes it there
or on its share of a GPU. It has one file at a time and sends back moments, so neither its memory
nor that of the run grows with the library. Judging files and writing stay with the run, which is
the one writer. What an actor that died was at is given to another one.
"""

import math
import os
import signal
import socket
import threading
import warnings
from _thread import start_new_thread
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reeltune.errors import ConfigError, LibraryError, in_short
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.search._gather import Gatherer
from reeltune.search._known import Judged
from reeltune.search.encoder import Encoder
from reeltune.search.engines.local_readers import (
    ATTEMPTS,
    Ended,
    Event,
    Frames,
    LocalWorker,
    LostWorkerError,
    Made,
    Opened,
    StoppedError,
    failed,
)
from reeltune.search.shots import MomentSettings
from reeltune.search.store.manifest import Manifest
from reeltune.storage.place import Place, place

PATIENCE = 300.0  # s in which the cluster must have room for an actor, where none is at work
BEAT = 0.2  # s between looks at whether the run was stopped
STARTING = 10.0  # s for which Ctrl-C waits until Ray has started
ANSWER = 10.0  # s for a cluster to take a connection
OBJECTS = 256 << 20  # bytes of memory that a cluster of this machine alone has for results


@contextmanager
def crew(
    folder: Place, manifest: Manifest, device: str | None, address: str | None
) -> Iterator[tuple[int, Callable[[], "RemoteWorker"]]]:
    """How many workers a cluster has room for, and what makes one.

    They are of the library at `folder`. The cluster is that at `address`, or one of this machine
    alone, which is started and ended here. Raises ConfigError where Ray is absent, or the cluster
    cannot be joined or has no CPU.
    """
    with _cluster(address) as ray:
        shares = shares_in(ray.nodes())
        if not shares:
            raise ConfigError(f"the cluster at {address} has no CPU; start a worker: ray start")
        given = str(folder.absolute()), manifest, device
        alive: set[int] = set()

        def make() -> RemoteWorker:
            kind = ray.remote(num_cpus=1, num_gpus=shares.pop(), max_restarts=0)(_Actor)
            return RemoteWorker(ray, lambda: kind.remote(*given), alive)

        yield len(shares), make


def shares_in(nodes: Sequence[Mapping[str, Any]]) -> list[float]:
    """The share of a GPU that each worker has, of whom there is one for each CPU of the nodes, as
    Ray lists these."""
    found: list[float] = []
    for node in nodes:
        cpus = int(node["Resources"].get("CPU", 0)) if node["Alive"] else 0
        graphics = float(node["Resources"].get("GPU", 0))
        found += [math.floor(100 * min(graphics / cpus, 1.0)) / 100] * cpus if cpus else []
    return sorted(found)  # the largest are taken first


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Ray, connected, and let go of afterwards."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # Ray reads it when it is imported
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "the engine is ray, and Ray is absent; get it with: pip install 'reeltune[ray]', "
            "or leave --engine out"
        ) from error
    if ray.is_initialized():  # by the program that calls
        yield ray
        return
    alone: dict[str, Any] = {
        "address": "local",
        "dashboard_host": "127.0.0.1",
        "object_store_memory": OBJECTS,
        "num_cpus": os.cpu_count(),
    }
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        _require_answer(address)
        with _own_signals(), warnings.catch_warnings():
            # Whoever is forked becomes a program of Ray's at once.
            warnings.filterwarnings("ignore", message="lance is not fork-safe")
            ray.init(**({"address": address} if address else alone), **quiet)
    except Exception as error:  # Ray has no class of its own for what goes wrong here
        raise ConfigError(
            f"the Ray cluster {address or 'of this machine'} cannot be used ({in_short(error)}); "
            "see to its address, and give its token by RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
        ) from error
    except KeyboardInterrupt:
        ray.shutdown()
        raise
    try:
        yield ray
    finally:
        ray.shutdown()


def _require_answer(address: str | None) -> None:
    """Raise OSError where an address has a port that nothing listens at, for which Ray would look
    for minutes."""
    host, _, port = (address or "").rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Signals are heard as before once Ray has started, which has handlers of its own.

    Until then the first Ctrl-C waits, though not for ever, as a Ray that has half started may crash
    when the interpreter ends. Ray's handler of SIGTERM would print where it came and leave another
    exit code.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone hears signals
        yield
        return
    kinds = signal.SIGINT, signal.SIGTERM
    before = {kind: signal.getsignal(kind) or signal.SIG_DFL for kind in kinds}
    came, ended = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        came.set()
        signal.signal(signal.SIGINT, before[signal.SIGINT])  # which hears the second one
        start_new_thread(come_again, ())

    def come_again() -> None:
        if not ended.wait(STARTING):
            os.kill(os.getpid(), signal.SIGINT)

    if before[signal.SIGINT] != signal.SIG_IGN:  # as of what a shell starts in the background
        signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        ended.set()
        for kind in kinds:
            signal.signal(kind, before[kind])
        if came.is_set():
            raise KeyboardInterrupt


class _Actor:
    """What runs in a process of the cluster."""

    def __init__(self, folder: str, manifest: Manifest, device: str | None) -> None:
        self._manifest = manifest
        self._encoder = Encoder.of_library(place(folder), manifest, device)

    def open(self) -> None:
        """Open the model; raises as `Encoder.model` does, such as where it is not on this node."""
        sampling = Sampling.parse(self._manifest.sampling)
        _ = self._encoder.baseline
        self._worker = LocalWorker(lambda: Decoder(self._encoder.arrays.pixels, sampling))

    def read(self, judged: Judged) -> list[Event]:
        """What became of one file."""
        gatherer = Gatherer(self._encoder, MomentSettings())
        try:
            for event in self._worker.read(judged):
                match event:
                    case Opened(file, info):
                        gatherer.open(file, info)
                    case Frames(file, frames):
                        gatherer.add(file, frames)
                    case Ended(file, note):
                        gatherer.end(file, note)
        except Exception as error:  # whatever it is, it costs this file alone
            return [failed(judged.file, error)]
        return [Made(judged.file, done) for done in gatherer.ready(flush=True)]


class RemoteWorker:
    """Stands for an actor, and for another one where that died; used by one thread."""

    worth = 0.0  # all open at once, since each opens the model

    def __init__(self, ray: Any, start: Callable[[], Any], alive: set[int]) -> None:
        """`alive` has a number for every worker of the crew that has an actor now."""
        self._ray, self._start, self._alive = ray, start, alive
        self._actor: Any = None
        self._stop = threading.Event()

    def open(self) -> None:
        """Have an actor that is ready; raises what its model raises, and LibraryError where the
        cluster has no room for it."""
        lost: Exception | None = None
        for _ in range(ATTEMPTS):
            if self._actor is not None:
                return
            actor = self._start()
            try:
                self._answer(actor.open.remote(), PATIENCE)
                self._actor = actor
                self._alive.add(id(self))
            except LostWorkerError as error:
                lost = error
        if self._actor is None:
            raise LibraryError(
                f"workers of the cluster end as they begin ({lost}); see to its nodes"
            )

    def read(self, judged: Judged, copy: Path | None) -> Iterator[Event]:
        """Have a file read, where it lies, as another machine has no use for a copy here."""
        try:
            yield from self._answer(self._actor.read.remote(judged))
        except LostWorkerError:
            self._actor = None
            self._alive.discard(id(self))
            raise

    def interrupt(self) -> None:
        """Have `read` end soon; any thread may ask for it."""
        self._stop.set()

    def close(self) -> None:
        """End the actor, so that another worker has its room."""
        self._alive.discard(id(self))
        if self._actor is not None:
            with suppress(Exception):  # it, or the cluster, may be gone
                self._ray.kill(self._actor)

    def _answer(self, asked: Any, patience: float | None = None) -> Any:
        """What an actor answers, or raises."""
        from ray.exceptions import ObjectLostError, RayActorError, RayTaskError

        waited = 0.0
        while not self._ray.wait([asked], timeout=BEAT)[0]:
            waited += BEAT
            if self._stop.is_set():
                raise StoppedError
            if patience is not None and waited > patience and not self._alive:
                raise LibraryError(
                    f"the cluster had no room for a worker in {patience:.0f} s; see to its nodes, "
                    "and run the command again, which goes on"
                )
        try:
            return self._ray.get(asked)
        except RayTaskError as error:
            raise error.cause from error
        except (RayActorError, ObjectLostError) as error:  # its process or its node is gone
            raise LostWorkerError(in_short(error)) from error
