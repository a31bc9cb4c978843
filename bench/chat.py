"""Chat with the durable log on: 1,000 connections in 20 rooms, 40 lines a second for a minute.

A real server process on SQLite. A line is acknowledged after its commit; delivered is from sending it to its arrival at
each of the 50 in the room, so there are 2,000 deliveries a second.
"""

from __future__ import annotations

import sys

from bench._loads import Line, judged, measured
from server.load_test.load import SCENARIOS


def main() -> int:
    """Print the figures; 1 when one is missed."""
    report, late = measured(SCENARIOS["chat"][0])
    assert report.ack_ms is not None and report.delivery_ms is not None
    lines = [
        Line("acknowledged after, p99", report.ack_ms.p99, "ms", 250, 100),
        Line("delivered after, p99", report.delivery_ms.p99, "ms", 300, 150),
        Line("server's memory at its most", report.server_peak_mb, "MB", 300, 250),
    ]
    return judged(report, late, lines)


if __name__ == "__main__":
    sys.exit(main())
