"""50 of 200 in a room stop reading while it is sent 1 MB a second: when they are cut, and what the others notice.

The longest chat line is 4,000 characters; of four bytes each that is 16 kB, so 62.5 lines a second by 14 people who
each stay within their allowance are what 20 kB fifty times a second would be. The kernel takes what is not read until
its buffers are full; the time counts from when the server's own buffer has passed its cap of 1 MiB. The others'
delivery is compared with the same lines in a room of the 150 alone, in the same run.
"""

from __future__ import annotations

import sys

from bench._loads import Line, figure, judged, measured
from server.load_test.load import SCENARIOS


def main() -> int:
    """Print the figures; 1 when one is missed."""
    load = SCENARIOS["stalled"][0]
    report, late = measured(load)
    for name in ("delivered_without_stalled", "delivered_beside_stalled"):
        print(f"  {name.replace('_', ' '):<34} p50 {figure(report, name, 'p50')} ms   p99 {figure(report, name)} ms")
    cut = figure(report, "cut_after_passing_the_cap", "longest")
    is_all = report.extra["cut"] == f"{load.stalled} of {load.stalled}"
    lines = [
        Line("cut after passing the cap, longest", cut if is_all else None, "ms", 5_000, 2_000),
        Line("p99 of the others, beside to without", report.extra["p99_beside_to_without"], "x", 2, 1.2),
    ]
    return judged(report, late, lines)


if __name__ == "__main__":
    sys.exit(main())
