"""Coming back after 500 missed lines: from opening the connection to being live, 20 members one after the other."""

from __future__ import annotations

import sys

from bench._loads import Line, figure, judged, measured
from server.load_test.load import SCENARIOS


def main() -> int:
    """Print the figures; 1 when one is missed."""
    report, late = measured(SCENARIOS["catch-up"][0])
    longest = figure(report, "caught_up_after", "longest")
    return judged(report, late, [Line("caught up after, longest of 20", longest, "ms", 1000, 300)])


if __name__ == "__main__":
    sys.exit(main())
