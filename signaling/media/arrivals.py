"""When a publisher's packets arrived, told back to it so that it finds out what its link carries.

Format: draft-holmer-rmcat-transport-wide-cc-extensions-01. Every packet of a connection carries a number of its own in
a header extension; each feedback lists a range of numbers and when each came, in steps of a quarter millisecond. The
browser estimates from that; we only report. Toward subscribers nothing of this is offered.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from signaling.media.feedback import OUR_SSRC

FEEDBACK_SECONDS = 0.05  # from the first unreported packet to its report
STATUSES = 400  # packets one message tells of at most: about 900 bytes
LARGEST_JUMP = 2000  # numbers; a longer jump is a new beginning, not loss
TICK_SECONDS, REFERENCE_TICKS = 0.00025, 256  # 250 µs; the reference time counts 64 ms
MISSING, SMALL, LARGE = 0, 1, 2
LARGEST_DELTA = 0x7FFF
RUN, VECTOR = 0x1FFF, 7  # the longest run one chunk can say; statuses in a vector chunk of two bits each
pack_head = struct.Struct("!BBHIIHHI").pack


class Arrivals:
    """The packets of one connection that were not reported yet. Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._times: dict[int, float] = {}
        self._next: int | None = None  # the first number not reported; extended
        self._newest = 0
        self._messages = 0

    def arrived(self, number: int, now: float) -> bool:
        """Note a packet's 16 bits; True when it is the first since the last report. Late ones count as lost."""
        if self._next is None:
            self._next = self._newest = number + 0x10000
        extended = self._newest + ((number - self._newest + 0x8000) & 0xFFFF) - 0x8000
        if extended - self._newest > LARGEST_JUMP:
            self._times.clear()
            self._next = extended
        if extended < self._next or extended in self._times:
            return False
        self._newest = max(self._newest, extended)
        self._times[extended] = now
        return len(self._times) == 1

    def feedback(self, ssrc: int) -> list[bytes]:
        """The messages that tell of everything since the last report; `ssrc` is any of the publisher's."""
        if not self._times or self._next is None:
            return []
        made, number = [], self._next
        while number <= self._newest:
            message, number = self._message(ssrc, number)
            made.append(message)
        self._times.clear()
        self._next = number
        return made

    def _message(self, ssrc: int, first: int) -> tuple[bytes, int]:
        """One message from `first` on, and the number after its last."""
        begin = next(self._times[n] for n in range(first, self._newest + 1) if n in self._times)
        reference = int(begin / TICK_SECONDS) // REFERENCE_TICKS
        last = reference * REFERENCE_TICKS
        statuses: list[int] = []
        deltas, number = bytearray(), first
        while number <= self._newest and len(statuses) < STATUSES:
            time = self._times.get(number)
            if time is None:
                statuses.append(MISSING)
            else:
                delta = int(time / TICK_SECONDS) - last
                if abs(delta) > LARGEST_DELTA:
                    break  # after a long pause: another message with a reference time of its own
                statuses.append(SMALL if 0 <= delta <= 0xFF else LARGE)
                deltas += delta.to_bytes(1, "big") if 0 <= delta <= 0xFF else struct.pack("!h", delta)
                last += delta
            number += 1
        body = b"".join(struct.pack("!H", chunk) for chunk in _chunks(statuses)) + bytes(deltas)
        body += bytes(-len(body) % 4)
        times = (reference & 0xFFFFFF) << 8 | self._messages & 0xFF
        self._messages += 1
        words = 4 + len(body) // 4
        return pack_head(0x8F, 205, words, OUR_SSRC, ssrc, first & 0xFFFF, len(statuses), times) + body, number


def _chunks(statuses: Sequence[int]) -> Iterator[int]:
    """Runs of equal statuses where they save something, else seven at a time."""
    at = 0
    while at < len(statuses):
        status, run = statuses[at], 1
        while at + run < len(statuses) and run < RUN and statuses[at + run] == status:
            run += 1
        if run >= VECTOR or at + run == len(statuses):
            yield status << 13 | run
            at += run
            continue
        some = statuses[at : at + VECTOR]
        yield 0xC000 | sum(status << 2 * (6 - place) for place, status in enumerate(some))
        at += VECTOR
