"""When a worker takes nobody new: a measured share of its processor, not a number of people."""

from __future__ import annotations

from signaling.media.load import Load


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
