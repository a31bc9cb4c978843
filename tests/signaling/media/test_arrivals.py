"""Feedback about arrivals, read back as a browser reads it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.media.arrivals import LARGEST_JUMP, STATUSES, Arrivals


def read(message: bytes) -> dict[int, float | None]:
    """Number -> seconds it arrived at (in the 24 bits the reference time has), None for a lost one."""
    head, kind, words, _, _, base, count, times = struct.unpack_from("!BBHIIHHI", message)
    assert (head, kind, 4 * (words + 1)) == (0x8F, 205, len(message))
    statuses: list[int] = []
    at = 20
    while len(statuses) < count:
        (chunk,) = struct.unpack_from("!H", message, at)
        at += 2
        if chunk & 0x8000:
            assert chunk & 0x4000
            statuses += [chunk >> 2 * (6 - place) & 3 for place in range(7)]
        else:
            statuses += [chunk >> 13] * (chunk & 0x1FFF)
    tick = (times >> 8) * 256
    told: dict[int, float | None] = {}
    for place, status in enumerate(statuses[:count]):
        number = (base + place) & 0xFFFF
        told[number] = None
        if status:
            tick += message[at] if status == 1 else struct.unpack_from("!h", message, at)[0]
            at += status
            told[number] = tick * 0.00025
    assert message[at:] == bytes(len(message) - at)
    assert len(message) - at < 4
    return told


def test_what_came_and_what_did_not_is_told_once() -> None:
    arrivals = Arrivals()
    assert arrivals.arrived(65534, 10.0)
    assert not arrivals.arrived(1, 10.02)
    assert not arrivals.arrived(0, 10.03)  # behind the one after it
    [message] = arrivals.feedback(7)
    told = read(message)
    assert list(told) == [65534, 65535, 0, 1]
    assert told[65535] is None
    assert [told[n] for n in (65534, 0, 1)] == pytest.approx([10.0, 10.03, 10.02], abs=0.0003)
    assert arrivals.feedback(7) == []
    assert not arrivals.arrived(65535, 10.2)
    assert arrivals.arrived(2, 10.3)


@given(
    first=st.integers(0, 65535),
    packets=st.lists(st.tuples(st.integers(1, 60), st.floats(0, 12)), min_size=1, max_size=60),
    reports=st.sets(st.integers(0, 60)),
)
def test_every_arrival_is_told_in_bounded_messages(
    first: int, packets: list[tuple[int, float]], reports: set[int]
) -> None:
    arrivals, number, now = Arrivals(), first, 5.0
    sent: list[tuple[int, float]] = []
    messages: list[bytes] = []
    for index, (step, pause) in enumerate(packets):
        number, now = (number + step) & 0xFFFF, now + pause
        arrivals.arrived(number, now)
        sent.append((number, now))
        if index in reports:
            messages += arrivals.feedback(7)
    messages += arrivals.feedback(7)
    assert max(map(len, messages)) <= 20 + 2 * STATUSES + STATUSES // 3
    told: list[tuple[int, float]] = []
    for message in messages:
        told += [(n, at) for n, at in read(message).items() if at is not None]
    assert [n for n, _ in told] == [n for n, _ in sent]
    for (_, at), (_, when) in zip(told, sent, strict=True):
        assert at == pytest.approx(when, abs=0.0003)
    assert [message[19] for message in messages] == list(range(len(messages)))


def test_a_longer_jump_is_a_new_beginning() -> None:
    arrivals = Arrivals()
    arrivals.arrived(5, 1.0)
    arrivals.feedback(7)
    assert arrivals.arrived(5 + LARGEST_JUMP + 1, 2.0)
    [message] = arrivals.feedback(7)
    assert len(read(message)) == 1
