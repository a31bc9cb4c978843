"""What a load came to: figures, and the tables people read."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Times:
    """Percentiles in milliseconds of `count` measurements."""

    count: int
    p50: float
    p99: float
    longest: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Times:
        known = sorted(seconds)
        if not known:
            return cls(0, 0.0, 0.0, 0.0)
        cuts = statistics.quantiles(known, n=100, method="inclusive") if len(known) > 1 else [known[0]] * 99
        return cls(len(known), *(round(value * 1e3, 2) for value in (cuts[49], cuts[98], known[-1])))


@dataclass(slots=True)
class Report:
    """One run. Sizes in MB (10^6 bytes), processor times as shares of one core; None where it cannot be known."""

    scenario: str
    database: str
    connections: int
    rooms: int
    seconds: float
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    wrong: int = 0
    server_errors: int = 0  # answers of 500 and above, to a request or to a wish
    connect_seconds: float = 0.0
    ack_ms: Times | None = None
    delivery_ms: Times | None = None
    extra: dict[str, Any] = field(default_factory=dict)  # what only this scenario measures
    server_rss_mb: float | None = None
    server_peak_mb: float | None = None
    server_cpu: float | None = None
    client_cpu: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether everything that was acknowledged arrived, once and in order, and nothing failed."""
        return not (self.lost or self.doubled or self.disordered or self.wrong or self.server_errors)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_whole": self.is_whole}


def show(report: Report, console: Console) -> None:
    """The table for people."""
    table = Table(title=f"{report.scenario}: {report.connections:,} connections, {report.rooms} rooms", box=None)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_row("lines sent, acknowledged", f"{report.sent:,}, {report.acknowledged:,}")
    table.add_row("lost, doubled, out of order", f"{report.lost}, {report.doubled}, {report.disordered}")
    table.add_row("refused, errors", f"{report.refused}, {report.server_errors}")
    table.add_row("all connected and joined after", f"{report.connect_seconds:.1f} s")
    for name, times in (("acknowledged after", report.ack_ms), ("delivered after", report.delivery_ms)):
        if times is not None and times.count:
            table.add_row(f"{name} (p50, p99, longest)", _milliseconds(times))
    for name, value in report.extra.items():
        shown = _milliseconds(Times(**value)) if isinstance(value, dict) else str(value)
        table.add_row(name.replace("_", " "), shown)
    table.add_row("server: memory, most", f"{_shown(report.server_rss_mb)} MB, {_shown(report.server_peak_mb)} MB")
    table.add_row("server, this client: share of a core", f"{_share(report.server_cpu)}, {_share(report.client_cpu)}")
    console.print(table)
    for note in report.notes:
        console.print(note, style="dim")
    if not report.is_whole:
        console.print("Something acknowledged did not arrive as it should, or the server failed.", style="bold red")


def _milliseconds(times: Times) -> str:
    return f"{times.p50:.0f}, {times.p99:.0f}, {times.longest:.0f} ms"


def _shown(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}"


def _share(value: float | None) -> str:
    return "?" if value is None else f"{value:.0%}"
