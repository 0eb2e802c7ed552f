"""Counters for Prometheus, one registry per server."""

from collections.abc import Callable, Mapping
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What is counted by name; anybody can make up others."""
_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)


class Metrics:
    """What is counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        registry = self.registry
        self.requests = Counter(
            "segue_requests", "Answered requests", ["route", "method", "status"], registry=registry
        )
        self.seconds = Histogram(
            "segue_request_seconds", "From the request to the end of its answer", ["route"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.waited = Histogram(
            "segue_queue_wait_seconds", "How long replies waited for the models",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.stages = Histogram(
            "segue_stage_seconds", "Time of an answer by stage", ["stage"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.cancelled = Counter(
            "segue_cancelled", "Requests whose client went away", registry=registry
        )
        self.rejected = Counter(
            "segue_rejected", "Requests turned away", ["code"], registry=registry
        )
        self.regions = Counter("segue_regions", "Regions found in replies", registry=registry)

    def watch(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        """Report numbers that are asked for at the moment of the report.

        Args:
            gauges: name -> (what it is, how to get it).
        """
        for name, (help, read) in gauges.items():
            Gauge(name, help, registry=self.registry).set_function(read)

    def count_answer(self, seconds: Mapping[str, float], regions: int) -> None:
        """Count one answer of the models."""
        for stage, time in seconds.items():
            self.stages.labels(stage).observe(time)
        self.regions.inc(regions)

    def report(self) -> bytes:
        """Write the report."""
        return generate_latest(self.registry)


class MetricsMiddleware:
    """Middleware that counts requests by route (never by address, which would be endless)."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = perf_counter(), 0

        async def send_and_count(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_count)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests.labels(route, method, str(status or 499)).inc()
            self.metrics.seconds.labels(route).observe(perf_counter() - started)
            if status == 429:
                self.metrics.rejected.labels("429").inc()
            elif status == 0:
                self.metrics.cancelled.inc()
