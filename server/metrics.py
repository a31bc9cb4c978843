"""Every metric's name, in one registry that belongs to the application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest

DELAYS = (0.001, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5)  # seconds


class Metrics:
    """What /metrics shows (Prometheus text format). One of several web processes puts its number on every line."""

    def __init__(self, worker: int | None = None) -> None:
        self._worker = worker
        self.shared = CollectorRegistry()  # of what every process says alike, without its number
        self.before: list[Callable[[], Awaitable[None]]] = []  # asked before anything is shown; each bounds itself
        self.registry = registry = CollectorRegistry()
        self.http_seconds = Histogram(
            "lectern_http_request_seconds", "Time to answer a request", ["method", "route", "status"], registry=registry
        )
        self.connections = Gauge("lectern_socket_connections", "Socket connections held now", registry=registry)
        self.rooms = Gauge("lectern_rooms", "Rooms with members on this process", registry=registry)
        self.wishes = Counter(
            "lectern_wishes_total", "Client wishes by event and outcome", ["event", "outcome"], registry=registry
        )
        self.commits = Histogram("lectern_timeline_commit_seconds", "Group commit of room events", registry=registry)
        self.gaps = Counter(
            "lectern_timeline_gaps_total", "Times a process read the log to fill a hole", registry=registry
        )
        self.jobs = Counter(
            "lectern_jobs_total", "Jobs ended, by kind and outcome", ["kind", "outcome"], registry=registry
        )
        self.media_up = Gauge("lectern_media_worker_up", "1 while the media worker answers", registry=registry)
        self.loop_delay = Histogram(
            "lectern_loop_delay_seconds",
            "The longest that something due waited for the event loop, each 10 ms while it has something to do",
            buckets=DELAYS,
            registry=registry,
        )
        self.longest_loop_delay = Gauge(
            "lectern_loop_delay_longest_seconds", "The longest such delay since the start", registry=registry
        )
        self.loop_busy = Histogram(
            "lectern_loop_busy_seconds",
            "How much of such a delay the loop itself computed; the rest the machine was elsewhere",
            buckets=DELAYS,
            registry=registry,
        )
        self.longest_loop_busy = Gauge(
            "lectern_loop_busy_longest_seconds", "The most of it since the start", registry=registry
        )
        self.gc_pause = Histogram(
            "lectern_gc_pause_seconds",
            "How long the garbage collector stopped the process",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
            registry=registry,
        )
        self.longest_gc_pause = Gauge(
            "lectern_gc_pause_longest_seconds", "The longest such pause since the start", registry=registry
        )

    async def text(self) -> bytes:
        for ask in self.before:
            await ask()
        return generate_latest(self.registry if self._worker is None else self) + generate_latest(self.shared)

    def collect(self) -> Iterator[Metric]:
        """Everything, with the worker's number on each sample."""
        for metric in self.registry.collect():
            metric.samples = [
                sample._replace(labels={"worker": str(self._worker), **sample.labels}) for sample in metric.samples
            ]
            yield metric
