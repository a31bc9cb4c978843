"""How many people watched each part of a lesson. Pure: from where their ranges begin and end to a line for a chart.

The database counts beginnings and ends by bucket, so its answer is as small for a hundred thousand viewers as for ten;
with the sums of the moments beside the counts the average within each bucket is exact, not rounded to whole buckets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MOST_BUCKETS = 600  # a lesson of ten minutes is counted by the second, one of three hours by eighteen


@dataclass(frozen=True, slots=True)
class Edges:
    """Of the ranges that begin (or end) in one bucket: how many, and the sum of those moments in seconds."""

    bucket: int
    is_end: bool
    count: int
    moments: float


def bucket_seconds(duration: float) -> float:
    """The length of a bucket: whole seconds, so few buckets that a chart can show them."""
    return float(max(1, math.ceil(duration / MOST_BUCKETS)))


def viewers(edges: Iterable[Edges], duration: float) -> list[float]:
    """People per bucket, averaged over its seconds, to a hundredth; the last bucket may be shorter."""
    if duration <= 0:
        return []
    size = bucket_seconds(duration)
    many = math.ceil(duration / size)
    counts = [[0, 0] for _ in range(many)]
    moments = [[0.0, 0.0] for _ in range(many)]
    for edge in edges:
        place = min(max(edge.bucket, 0), many - 1)
        counts[place][edge.is_end] += edge.count
        moments[place][edge.is_end] += edge.moments
    line: list[float] = []
    watching = 0
    for place in range(many):
        ends = min((place + 1) * size, duration)
        (begun, ended), (begun_at, ended_at) = counts[place], moments[place]
        seconds = watching * (ends - place * size) + begun * ends - begun_at - (ended * ends - ended_at)
        line.append(round(max(0.0, seconds) / (ends - place * size), 2))
        watching += begun - ended
    return line
