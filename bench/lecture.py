"""One room of 1,000 in which five lines a second are written, each delivered to all."""

from __future__ import annotations

import sys

from bench._loads import Line, judged, measured
from server.load_test.load import SCENARIOS


def main() -> int:
    """Print the figures; 1 when one is missed."""
    report, late = measured(SCENARIOS["lecture"][0])
    assert report.delivery_ms is not None
    return judged(report, late, [Line("delivered after, p99", report.delivery_ms.p99, "ms", 500, 200)])


if __name__ == "__main__":
    sys.exit(main())
