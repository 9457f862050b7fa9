"""Counts for Prometheus: requests, how long they took, and what is in the library."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reeltune.errors import ReeltuneError
from reeltune.serve.jobs import ENDED
from reeltune.serve.state import State

LIBRARY = ("files", "moments", "seconds", "video_bytes", "library_bytes")
STEPS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # s


class Metrics:
    """What one server counts."""

    def __init__(self, held: State) -> None:
        self.registry = CollectorRegistry()
        names = ("method", "route", "status")
        self.requests = Counter(
            "reeltune_requests", "Requests answered", names, registry=self.registry
        )
        self.seconds = Histogram(
            "reeltune_request_seconds",
            "Time until an answer is sent",
            ("route",),
            registry=self.registry,
            buckets=STEPS,
        )
        self.registry.register(_Holdings(held))

    def text(self) -> bytes:
        """All counts as Prometheus reads them."""
        return generate_latest(self.registry)


class Measured:
    """Counts every request that reaches an app."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and count its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, begun = 500, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            route = _address(scope)
            self.metrics.requests.labels(scope["method"], route, status).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - begun)


def _address(scope: Scope) -> str:
    """The address that answered, with names in place of ids, so that there are few of them."""
    if "route" not in scope:
        return "other"
    path: str = scope["path"]
    for name, value in scope["path_params"].items():
        path = path.replace(f"/{value}", f"/{{{name}}}", 1)
    return path


class _Holdings(Collector):
    """What is in the library, and how many jobs go on, when that is asked for."""

    def __init__(self, held: State) -> None:
        self.held = held

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is looked at before it is asked for."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The library as it is now, if there is one."""
        going_on = sum(job.state not in ENDED for job in self.held.jobs.all())
        yield GaugeMetricFamily("reeltune_jobs", "Jobs that wait or run", value=going_on)
        try:
            facts = self.held.holdings.info()
        except ReeltuneError:
            return
        for name in LIBRARY:
            value = float(str(facts[name]))
            yield GaugeMetricFamily(f"reeltune_library_{name}", f"Library: {name}", value=value)
