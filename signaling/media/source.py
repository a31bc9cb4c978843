"""One incoming stream, a track or a layer of one: its cache, what is missing of it, its keyframes, and who it feeds.

Its sequence numbers are extended here and never wrap again; `newest`, `received` and `octets` are kept once per source,
and what each m-line it feeds has sent follows from them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from signaling.media import feedback
from signaling.media.audience import Audience, Member
from signaling.media.cache import Packet, PacketCache
from signaling.media.counters import Counters
from signaling.media.fanout import Row, fan_out
from signaling.media.keyframes import BEGINS_KEYFRAME, vp8_width
from signaling.media.sdp import Chosen
from signaling.media.sdp_lines import AUDIO_TYPE, VIDEO_TYPES

CACHE_PACKETS = {"video": 1024, "audio": 128}  # a power of two; about 3 s at 2.5 Mbit/s, 2.5 s of audio
RECENT_KEYFRAME = 40  # packets: a keyframe begun within these is replayed to a fresh m-line instead of asking for one
NACK_TICK_SECONDS = 0.02
RATE_SECONDS = 0.5  # its rate is counted over no less
SILENT_SECONDS = 5.0  # without a packet: not flowing any more


class Fed(Member, Protocol):
    """What a source feeds: one m-line of a subscriber."""

    @property
    def ready(self) -> bool:
        """Its subscriber's SRTP is up."""

    def cut_over(self, source: Source, packet: Packet) -> None:
        """From this packet on it is fed; moves itself from `waiting` to `outs`."""

    def bind(self, source: Source | None) -> None:
        """Be fed by another source, or none."""

    def report(self) -> None:
        """Send a sender report."""


def send_time_now() -> bytes:
    """The abs-send-time extension's value: 24 bits, 6.18 fixed point seconds."""
    return (int(time.time() * 262144) & 0xFFFFFF).to_bytes(3, "big")


class Source:
    """A user's camera, microphone or screen as it arrives. `send_rtcp` reaches its publisher, `flows` tells beginning
    and end.
    """

    def __init__(
        self, user: int, name: str, kind: str, chosen: Chosen, *,
        send_rtcp: Callable[..., None], flows: Callable[[Source, bool], None], counters: Counters,
    ) -> None:  # fmt: skip
        self.user, self.name, self.kind, self.chosen = user, name, kind, chosen
        self.codec, self.rate = chosen.name, chosen.clock_rate
        self.out_type = AUDIO_TYPE if kind == "audio" else VIDEO_TYPES[chosen.name][0]  # towards subscribers
        self.permitted = False
        self.is_flowing = False
        self.is_ended = False
        self.ssrc: int | None = None
        self.audience: Audience[Fed] = Audience(counters, self._fan_out)
        self.outs = self.audience.members  # fed now
        self.waiting: set[Fed] = set()  # bound, but waiting for a keyframe to cut at
        self.joining: set[Fed] = set()  # being sent what was kept since the last keyframe, before they are fed
        self.clock: feedback.SenderClock | None = None
        self.clock_offset: float | None = None  # seconds to add to the publisher's NTP time to get ours
        self.newest: int | None = None  # the newest extended number
        self.newest_timestamp = 0
        self.newest_at = 0.0
        self.keyframe: int | None = None  # where the last keyframe begins
        self.width: int | None = None  # of its picture, as the last keyframe says
        self.bits_per_second = 0  # lately, of payload
        self._is_keyframe_in_hand = False
        self._counted = (0, time.monotonic())
        self._keyframe_timestamp: int | None = None
        self._send_rtcp, self._flows, self._counters = send_rtcp, flows, counters
        self._begins_keyframe = BEGINS_KEYFRAME.get(chosen.name)
        self._cache = PacketCache(CACHE_PACKETS[kind])
        self._gaps = feedback.Gaps(kind)
        self._requests = feedback.KeyframeRequests()
        self._nack_timer: asyncio.TimerHandle | None = None
        self._keyframe_timer: asyncio.TimerHandle | None = None
        self.retransmitted = self.keyframes_asked = 0
        self.received = self.octets = 0  # packets and payload bytes that were new, since the beginning
        self._reception = feedback.Reception(chosen.clock_rate)

    def permit(self, may: bool) -> None:
        """Whether its packets may pass. On revocation everything it has is forgotten and everyone it feeds is cut, at
        once.
        """
        if may == self.permitted:
            return
        self.permitted = may
        if not may:
            self._stop()

    def begin(self, ssrc: int) -> None:
        """Its packets carry this SSRC now; after another one it begins anew, and those it feeds cut over at its next
        keyframe.
        """
        if self.ssrc is not None and self.ssrc != ssrc:
            fed = [*self.outs, *self.joining]
            for out in fed:
                out.bind(None)
            self._forget()
            for out in fed:
                out.bind(self)
        self.ssrc = ssrc

    def end(self) -> None:
        """It is over: unpublished, or its publisher is gone."""
        self.is_ended, self.permitted = True, False
        self._stop()

    def packet(self, seq: int, timestamp: int, padding: int, marker: int, payload: bytes) -> None:
        """Take one packet: cache it, note what is missing, cut waiting m-lines over, forward to all."""
        now = time.monotonic()
        newest = self.newest
        if newest is None:
            newest = self.newest = seq + 0x10000
            self._reception.begin(newest)
        ahead = (seq - newest) & 0xFFFF
        if ahead < 0x8000:
            extended = newest + ahead
            if ahead > 1:
                self._jumped(newest, ahead, now)
            self.newest, self.newest_timestamp, self.newest_at = extended, timestamp, now
            self._reception.arrived(timestamp, now)
        else:
            extended = newest + ahead - 0x10000
            self._gaps.arrived(extended)
        begins = self._begins_keyframe is not None and self._begins_keyframe(payload)
        if begins and self.codec == "VP8":
            self.width = vp8_width(payload) or self.width
        if not self.is_flowing:
            self.is_flowing, self._is_keyframe_in_hand = True, begins
            self._flows(self, True)  # before it is kept: whoever is bound by this is fed with it below, not twice
            self._is_keyframe_in_hand = False
        packet = Packet(extended, timestamp, padding, marker, payload)
        if not self._cache.put(packet, max(newest, extended)):
            return
        self.received += 1
        self._reception.received += 1
        self.octets += len(payload)
        joined: list[Fed] = []
        if self._begins_keyframe is None:
            joined = self._cut_over(packet)
        elif begins and timestamp != self._keyframe_timestamp:
            self.keyframe, self._keyframe_timestamp = extended, timestamp
            joined = self._cut_over(packet)
        elif self.waiting and self._keyframe_timer is None:
            self._ask_again()
        if self.outs:
            self.audience.feed(packet)
            if joined and extended != self.newest:
                self.audience.flush()
                self._catch_up(joined, extended)

    def send(self, outs: Sequence[Fed], packet: Packet) -> None:
        """Forward one packet to these m-lines."""
        self._fan_out(self.audience.rows(outs, packet.seq), (packet,))

    def cached(self, seq: int) -> Packet | None:
        """The packet with this extended number, if it is still there."""
        return self._cache.get(seq)

    def since_keyframe(self) -> list[Packet]:
        """The last keyframe and what came after, if it began at most RECENT_KEYFRAME packets ago; else nothing."""
        if self.keyframe is None or self.newest is None or self.newest - self.keyframe >= RECENT_KEYFRAME:
            return []
        return [packet for seq in range(self.keyframe, self.newest + 1) if (packet := self.cached(seq))]

    def want_keyframe(self) -> None:
        """Ask the publisher for a keyframe, coalesced; asked again while anybody waits, because a request may be lost
        too.
        """
        if self._begins_keyframe is None or self.ssrc is None or not self.permitted or self._is_keyframe_in_hand:
            return
        if self._requests.may_ask(time.monotonic()):
            self._counters.keyframes_asked += 1
            self.keyframes_asked += 1
            self._send_rtcp(*feedback.picture_loss(self.ssrc))
        if self._keyframe_timer is None:
            self._keyframe_timer = asyncio.get_running_loop().call_later(feedback.KEYFRAME_SECONDS, self._ask_again)

    @property
    def lost(self) -> int:
        """Packets that never came, since its numbers began."""
        return 0 if self.newest is None else self._reception.missing(self.newest)

    def sender_report(self, ntp_field: int, timestamp: int) -> bool:
        """The publisher's own report has come; True when it is the first."""
        is_first = self.clock is None
        self.clock = feedback.SenderClock(ntp_field / 2**32, timestamp, time.time(), ntp_field)
        return is_first

    def receiver_report(self) -> Any:
        """Our report block about this source, with what lets the publisher compute the round trip (RFC 3550, section
        6.4.1).
        """
        return self._reception.block(self.ssrc or 0, self.newest or 0, self.clock)

    def tick(self) -> None:
        """Once a second: how much comes of it; notice that it has fallen silent."""
        octets, at = self._counted
        now = time.monotonic()
        if now - at >= RATE_SECONDS:
            rate = int((self.octets - octets) * 8 / (now - at))
            # A sudden rise counts at once, a pause of the encoder little.
            self.bits_per_second = max(rate, (self.bits_per_second + rate) // 2)
            self._counted = (self.octets, now)
        if self.is_flowing and now - self.newest_at > SILENT_SECONDS:
            self.is_flowing = False
            self._flows(self, False)

    # --- inside -----------------------------------------------------------------------------------
    def _fan_out(self, rows: Sequence[Row], packets: Sequence[Packet]) -> None:
        send_time = send_time_now() if self._begins_keyframe is not None else b""
        fan_out(rows, packets, self.out_type, send_time, self._counters)

    def _cut_over(self, packet: Packet) -> list[Fed]:
        joined = [out for out in self.waiting if out.ready] if self.waiting else []
        for out in joined:
            out.cut_over(self, packet)
        return joined

    def _catch_up(self, joined: Sequence[Fed], seq: int) -> None:
        """The first packet of a keyframe came late, by retransmission: those after it are in the cache already."""
        assert self.newest is not None
        for later in range(seq + 1, self.newest + 1):
            if packet := self.cached(later):
                self.send(joined, packet)

    def _jumped(self, newest: int, ahead: int, now: float) -> None:
        self._gaps.jumped(newest, ahead, now)
        if ahead > feedback.LARGEST_GAP:
            self.want_keyframe()
        if self._gaps and self._nack_timer is None:
            self._nack_timer = asyncio.get_running_loop().call_later(NACK_TICK_SECONDS, self._ask_missing)

    def _ask_missing(self) -> None:
        self._nack_timer = None
        if self.ssrc is not None and (numbers := self._gaps.due(time.monotonic())):
            self._counters.nacks_out += len(numbers)
            self._send_rtcp(*feedback.nack(self.ssrc, [number & 0xFFFF for number in numbers]))
        if self._gaps:
            self._nack_timer = asyncio.get_running_loop().call_later(NACK_TICK_SECONDS, self._ask_missing)

    def _ask_again(self) -> None:
        self._keyframe_timer = None
        if any(out.ready for out in self.waiting):
            self.want_keyframe()

    def _stop(self) -> None:
        for out in (*self.outs, *self.waiting, *self.joining):
            out.bind(None)
        self._forget()
        if self.is_flowing:
            self.is_flowing = False
            self._flows(self, False)

    def _forget(self) -> None:
        """A new beginning: nothing older is asked for or sent again."""
        self.newest = self.keyframe = self._keyframe_timestamp = self.clock = None
        self.audience.begin_anew()
        self._cache.clear()
        self._gaps.clear()
        for timer in (self._nack_timer, self._keyframe_timer):
            if timer is not None:
                timer.cancel()
        self._nack_timer = self._keyframe_timer = None


def flowing(sources: Sequence[Source]) -> list[Source]:
    """Those whose packets have come and may pass."""
    return [source for source in sources if source.ssrc is not None and source.newest is not None and source.permitted]
