"""Many slow uploads at once cost little memory: the short form of bench/slow_uploads.py."""

from __future__ import annotations

from bench.slow_uploads import MUST_MIB, SLOW, seen

MANY = 30


async def test_what_comes_slowly_is_not_kept_in_memory() -> None:
    found = await seen(MANY, rounds=0, seconds=3.0, pause=0.05)  # each sends far more than may be kept of it
    assert found.growth <= MUST_MIB * MANY / SLOW
