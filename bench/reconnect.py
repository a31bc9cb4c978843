"""1,000 clients in 20 rooms are cut at once and come back: until the last has everything that was written meanwhile.

They wait as the official client does (0.5 to 1.5 s at first, longer after a failure). `python -m server load-test
--scenario restart` is the same with the server killed and started again.
"""

from __future__ import annotations

import sys

from bench._loads import Line, figure, judged, measured
from server.load_test.load import SCENARIOS


def main() -> int:
    """Print the figures; 1 when one is missed. An answer of 500 or above is a miss by itself."""
    report, late = measured(SCENARIOS["reconnect"][0])
    longest = figure(report, "back_and_synced_after", "longest")
    return judged(report, late, [Line("all back and synced after", longest, "ms", 15_000, 8_000)])


if __name__ == "__main__":
    sys.exit(main())
