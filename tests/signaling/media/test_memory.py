"""What a media worker holds in memory while it forwards for long: the measurement, as a proof."""

from __future__ import annotations

import pytest

from bench.media_memory import measure


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_ten_minutes_of_packets_to_a_hundred_people_leave_memory_as_it_was() -> None:
    assert await measure(subscribers=100, sources=40, packets=300, seconds=600)
