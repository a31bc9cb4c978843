"""When a worker takes nobody new: a measured share of its processor, not a number of people."""

from __future__ import annotations

from signaling.media.load import CONNECTION_LOAD, FRESH_SECONDS, Load


def test_a_steady_need_is_known_within_seconds_and_a_short_one_passes() -> None:
    load = Load(most=0.8)
    load.measure(0.0, 100.0)
    load.measure(0.5, 100.5)  # half a second of handshakes
    assert not load.is_full
    load.measure(0.55, 101.0)
    assert not load.is_full
    processor, now = 0.55, 101.0
    for _ in range(20):
        processor, now = processor + 0.45, now + 0.5
        load.measure(processor, now)
    assert load.is_full
    assert 0.8 < load.share < 0.9
    for _ in range(2):
        processor, now = processor + 0.1, now + 0.5
        load.measure(processor, now)
    assert not load.is_full


def test_a_clock_that_stands_still_changes_nothing() -> None:
    load = Load()
    load.measure(1.0, 5.0)
    load.measure(2.0, 5.0)
    assert load.share == 0.0


def test_a_crowd_counts_before_its_packets_are_measured_and_not_twice() -> None:
    load = Load(most=0.8)
    load.measure(0.0, 100.0)
    load.measure(500.0, 1100.0)  # half of a processor, for long
    taken = 0
    while not load.is_full:
        load.expect(1100.0)
        taken += 1
    assert 0.3 / CONNECTION_LOAD - 1 <= taken <= 0.3 / CONNECTION_LOAD + 1
    load.measure(500.0 + FRESH_SECONDS * 0.75, 1100.1 + FRESH_SECONDS)
    assert not load.is_full
    assert 0.65 < load.share < 0.75
