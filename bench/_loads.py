"""What the measurements under load share: a scenario with a bare 5 ms ticker beside it, figures held to limits."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench._ticker import tick
from server import logs
from server.db.migrate import upgrade
from server.load_test.load import Load
from server.load_test.report import Report
from server.load_test.run import carried_out


@dataclass(frozen=True, slots=True)
class Line:
    """One figure, `unit` and all, with the most it must and should be."""

    name: str
    value: float | None
    unit: str
    must: float
    aim: float


def measured(load: Load) -> tuple[Report, list[float]]:
    """The report, and how late each tick of a bare ticker in the client's process was, in seconds."""
    logs.configure(level="error")
    with tempfile.TemporaryDirectory(prefix="lectern-bench-") as name:
        url = f"sqlite+aiosqlite:///{Path(name) / 'lectern.db'}"
        upgrade(url)
        late: list[float] = []

        async def beside() -> Report:
            ticker = asyncio.create_task(tick(late))
            try:
                return await carried_out(load, Path(name), url, lambda phase, done, total: None)
            finally:
                ticker.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await ticker

        return asyncio.run(beside()), late


def judged(report: Report, late: Sequence[float], lines: Sequence[Line]) -> int:
    """Print everything; 1 when a limit is missed or something did not arrive as it should."""
    ticks = statistics.quantiles(late, n=100)
    print(f"{report.scenario}: {report.connections:,} connections, {report.rooms} rooms, {report.database}")
    print(f"  {report.sent:,} lines sent, {report.acknowledged:,} acknowledged, {report.lost} lost, "
          f"{report.doubled} doubled, {report.disordered} out of order, {report.server_errors} errors")  # fmt: skip
    print(f"  bare 5 ms ticker beside it: p50 {ticks[49] * 1e3:.1f} ms   p99 {ticks[98] * 1e3:.1f} ms late")
    if report.server_cpu is not None and report.client_cpu is not None:
        print(f"  share of a core: server {report.server_cpu:.0%}, client {report.client_cpu:.0%}")
    is_missed = not report.is_whole
    for line in lines:
        if line.value is None:
            print(f"  {line.name:<34} not measured here")
            is_missed = True
            continue
        is_missed |= line.value > line.must
        print(f"  {line.name:<34} {line.value:8.1f} {line.unit:<4} "
              f"{line.value / line.must:5.2f} of the limit ({line.must:g}), "
              f"{line.value / line.aim:5.2f} of the aim ({line.aim:g})")  # fmt: skip
    for note in report.notes:
        print(f"  {note}")
    return int(is_missed)


def figure(report: Report, name: str, percentile: str = "p99") -> float | None:
    """A time from what only this scenario measures; None when nothing was."""
    found = report.extra.get(name)
    return found[percentile] if isinstance(found, dict) and found["count"] else None
