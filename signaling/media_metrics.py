"""The media workers' rooms and sources as metrics, asked for when somebody asks us; a room that is over leaves no line.

Whichever web process answers says the same of them, so these lines do not carry its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

Reports = Sequence[tuple[str, Mapping[str, Any]]]
OF_SOURCE = ["media_worker", "room", "user", "source", "layer"]
OF_ROOM = ["media_worker", "room"]
TOTALS = {
    "packets": "Packets of a source that arrived",
    "bytes": "Payload bytes of a source that arrived",
    "lost": "Packets of a source that never arrived",
    "retransmitted": "Packets of a source sent again to whoever lacked them",
    "keyframes_asked": "Keyframes asked of a source",
}


class MediaMetrics(Collector):
    """`reports` is what the workers said last, by their number."""

    def __init__(self) -> None:
        self.reports: Reports = ()

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        load = GaugeMetricFamily(
            "lectern_media_load", "Share of a core that a media worker needs", labels=["media_worker"]
        )
        rooms = GaugeMetricFamily("lectern_media_rooms", "Rooms on a media worker", labels=["media_worker"])
        for number, said in self.reports:
            load.add_metric([number], said["load"])
            rooms.add_metric([number], said["rooms"])
        yield from (load, rooms)
        for side in ("publishers", "subscribers"):
            inside = GaugeMetricFamily(f"lectern_media_room_{side}", f"{side.capitalize()} of a room", labels=OF_ROOM)
            for number, room in self._rooms():
                inside.add_metric([number, str(room["room"])], room[side])
            yield inside
        watching = GaugeMetricFamily(
            "lectern_media_source_subscribers", "Who is sent a source, or a layer of one", labels=OF_SOURCE
        )
        totals = {
            name: CounterMetricFamily(f"lectern_media_source_{name}", meaning, labels=OF_SOURCE)
            for name, meaning in TOTALS.items()
        }
        for number, room in self._rooms():
            for one in room["sources"]:
                labels = [number, str(room["room"]), str(one["user"]), one["source"], one["layer"]]
                watching.add_metric(labels, one["subscribers"])
                for name, family in totals.items():
                    family.add_metric(labels, one[name])
        yield from (watching, *totals.values())

    def _rooms(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for number, said in self.reports:
            for room in said["each"]:
                yield number, room
