"""One subscriber's budget at work: its browser's reports weighed, what it is sent counted, and padding sent to find out
whether there is room again.

Nothing here is touched per packet. The timer runs only while a limit is known.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from signaling.media import feedback
from signaling.media.budget import PROBE_SECONDS, Budget, Heard
from signaling.media.dtls import rtp
from signaling.media.forward import Out

COUNT_SECONDS = 0.4  # what is sent is counted over this to twice this
TURN_SECONDS = 0.1
PAD_SECONDS = 0.02
PADDING_PER_TURN = 60  # packets; more than 7 Mbit/s are never tried
LONGEST_TRIP = 10 << 16  # in 1/65536 s
# Loss is told over no fewer: browsers report a dozen at a time, of which a third may be gone by chance, and what was
# lost before it came to us is missing in their numbers too.
LOSS_PACKETS = 100
SOUND_BITS = 64_000  # of one voice with everything around it


class Pressure:
    """`needed` tells the rate of all that the page has use for, `changed` is called with True when less fits than
    before, with False when more does.
    """

    def __init__(self, outs: Sequence[Out], needed: Callable[[], float], changed: Callable[[bool], None]) -> None:
        self.budget = Budget()
        self._outs, self._needed, self._changed = outs, needed, changed
        self._counters = outs[0].link.counters
        self._reports = Reports(out.ssrc for out in outs)
        self._padded = 0  # bits
        self._at, self._total = time.monotonic(), 0
        self._sent = self._sent_before = 0.0
        self._turn: asyncio.TimerHandle | None = None
        self._pad_turn: asyncio.TimerHandle | None = None

    def for_pictures(self) -> float | None:
        """What sound leaves of the budget; None: as much as there is."""
        bits = self.budget.bits
        return None if bits is None else max(0.0, bits - self.sound())

    def sound(self) -> float:
        """Bits a second of all voices carried."""
        return SOUND_BITS * sum(1 for out in self._outs if not out.is_video and out.source is not None)

    def hear(self, packets: Sequence[Any]) -> None:
        """A compound of the browser."""
        heard = self._reports.read(packets)
        if heard == Heard():
            return
        if heard.round_trip is not None:
            for out in self._outs:
                out.tripped(heard.round_trip)
        now = time.monotonic()
        if self.budget.hear(heard, self._rate(now), now):
            self._counters.budgets_cut += 1
            self._changed(True)
            if self._turn is None:
                self._turn = asyncio.get_running_loop().call_later(TURN_SECONDS, self._look)

    def close(self) -> None:
        """The subscriber is gone."""
        for timer in (self._turn, self._pad_turn):
            if timer is not None:
                timer.cancel()
        self._turn = self._pad_turn = None

    # --- inside -----------------------------------------------------------------------------------
    def _look(self) -> None:
        self._turn = None
        now, needed = time.monotonic(), self._needed()
        if self.budget.passed(needed, now):
            self._changed(False)
        extra = self.budget.probe(self._rate(now), needed, now)
        if extra:
            self._counters.probes += 1
            self._pad(extra, 0.0, now, now)
        if self.budget.bits is not None:
            self._turn = asyncio.get_running_loop().call_later(TURN_SECONDS, self._look)

    def _pad(self, bits: float, sent: float, began: float, now: float) -> None:
        """Padding at an even rate, for as long as the probe goes on."""
        self._pad_turn = None
        if not self.budget.is_probing or now - began > PROBE_SECONDS:
            return
        out = next((out for out in self._outs if out.is_video and out.last_timestamp is not None), None)
        due = bits * min(PROBE_SECONDS, now - began + PAD_SECONDS)
        for _ in range(PADDING_PER_TURN if out is not None else 0):
            if sent >= due or out is None or not (size := out.pad()):
                break
            self._counters.padding += 1
            self._padded += 8 * (size + 28)
            sent += 8 * (size + 28)
        loop = asyncio.get_running_loop()
        self._pad_turn = loop.call_later(PAD_SECONDS, lambda: self._pad(bits, sent, began, time.monotonic()))

    def _rate(self, now: float) -> float:
        """Bits a second sent of late: the smaller of the last two counts, because the browser's own lags behind."""
        if now - self._at >= COUNT_SECONDS:
            total = sum(out.sent_bits() for out in self._outs) + self._padded
            self._sent_before, self._sent = self._sent, (total - self._total) / (now - self._at)
            self._at, self._total = now, total
        return min(self._sent_before, self._sent)


class Reports:
    """Reads a browser's compounds: loss over LOSS_PACKETS of a stream; a sender report of ours answered twice tells of
    one round trip.
    """

    def __init__(self, streams: Iterable[int]) -> None:
        self._streams = frozenset(streams)
        self._answered: dict[int, int] = {}  # by stream, the last of our reports that was
        self._counted: dict[int, tuple[int, int]] = {}  # by stream, the newest number and all lost when last told

    def read(self, packets: Sequence[Any]) -> Heard:
        """The estimate, the worst stream's loss, the shortest round trip."""
        estimate, loss, trips = None, None, []
        now = int((time.time() + feedback.NTP_EPOCH) * 65536) & 0xFFFFFFFF
        for packet in packets:
            if isinstance(packet, rtp.RtcpPsfbPacket):
                estimate = feedback.remb_of(packet) or estimate
            elif isinstance(packet, (rtp.RtcpRrPacket, rtp.RtcpSrPacket)):
                for block in packet.reports:
                    if block.ssrc not in self._streams:
                        continue
                    newest, lost = block.highest_sequence, block.packets_lost
                    before, lost_before = self._counted.setdefault(block.ssrc, (newest, lost))
                    if not 0 <= newest - before < LOSS_PACKETS:
                        self._counted[block.ssrc] = newest, lost
                        if newest > before:
                            loss = max(loss or 0.0, (lost - lost_before) / (newest - before))
                    trip = (now - block.lsr - block.dlsr) & 0xFFFFFFFF
                    # Longer, or negative by a clock's jump: not a measurement
                    if block.lsr and block.lsr != self._answered.get(block.ssrc) and trip < LONGEST_TRIP:
                        trips.append(trip / 65536)
                    self._answered[block.ssrc] = block.lsr
        return Heard(estimate, loss, min(trips) if trips else None)
