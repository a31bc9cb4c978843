"""The transport's plain counters as metrics, read when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from signaling.transport import LiveServer

TOTALS = {
    "opened": "Transports opened",
    "upgraded": "Polling sessions that moved to WebSocket",
    "received": "Events received from clients",
    "delivered": "Packets handed to transports, one per client",
    "writes": "Writes to WebSocket transports",
    "dropped": "Droppable events skipped for a busy client",
    "foreign_origins": "Requests of pages that may not connect here",
}


class TransportMetrics(Collector):
    """What /metrics shows of one server's transports; a client cut for not reading counts as `slow client`."""

    def __init__(self, live: LiveServer) -> None:
        self._live = live

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        counters = self._live.counters
        yield GaugeMetricFamily("lectern_socket_transports", "Transports open now", self._live.transports)
        yield GaugeMetricFamily("lectern_socket_waiting", "Connects in line to be let in", self._live.waiting)
        for name, meaning in TOTALS.items():
            yield CounterMetricFamily(f"lectern_socket_{name}", meaning, getattr(counters, name))
        closed = CounterMetricFamily("lectern_socket_closed", "Transports closed, by reason", labels=["reason"])
        for reason, count in counters.closed.items():
            closed.add_metric([reason], count)
        yield closed
        refused = CounterMetricFamily("lectern_socket_refused", "Connects refused, by code", labels=["code"])
        for code, count in counters.refused.items():
            refused.add_metric([code], count)
        yield refused
