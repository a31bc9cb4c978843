"""What a client costs the server while nothing happens: 1,000 connected, signed in and joined, 50 to a room.

Resident memory with all of them against before they came, once one client has come and gone.
"""

from __future__ import annotations

import sys

from bench._loads import Line, judged, measured
from server.load_test.load import SCENARIOS


def main() -> int:
    """Print the figures; 1 when one is missed."""
    report, late = measured(SCENARIOS["idle"][0])
    return judged(report, late, [Line("memory a client", report.extra.get("KiB_per_client"), "KiB", 32, 24)])


if __name__ == "__main__":
    sys.exit(main())
