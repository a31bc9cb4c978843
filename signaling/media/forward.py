"""One m-line of a subscriber: fixed SSRCs and mid, changing source.

SSRC, payload type, number and timestamp are written over, the publisher's header extensions are gone, ours have a
constant length; fanout.py does it for every packet with the values kept here. The source behind an m-line changes
without the browser's knowledge: video at a keyframe, audio at any packet.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections.abc import Sequence

from signaling.media import feedback
from signaling.media.cache import Packet
from signaling.media.dtls import LENGTH, OUT, OUT_VIEW, protect
from signaling.media.fanout import HEADER_BYTES, VERSION_AND_EXTENSION, writer
from signaling.media.link import Link
from signaling.media.numbering import Numbering
from signaling.media.sdp_lines import MID_ID, SEND_TIME_ID, VIDEO_TYPES, PoolLine
from signaling.media.source import Source, send_time_now

write_number = struct.Struct("!H").pack
REPEAT_SECONDS = 0.02, 0.3  # a number asked for again within a round trip is on its way already; at least, at most
RETRANSMISSIONS_PER_SECOND = 500  # of one m-line; a subscriber that asks for more gets the rest next second
NACKS_REMEMBERED = 512
AROUND_BYTES = HEADER_BYTES + 16 + 28  # SRTP's tag, UDP and IP
PACED_PACKETS, PACE_SECONDS = 8, 0.005  # of a keyframe that is replayed: 15 Mbit/s
PADDING = bytes(254) + b"\xff"  # RFC 3550, section 5.1: the last byte is the count


class Out:
    """One m-line of one subscriber: fixed SSRCs and mid, changing source."""

    def __init__(self, link: Link, line: PoolLine) -> None:
        self.link, self.line, self.kind = link, line, line.kind
        self.ssrc = line.ssrc
        self.source: Source | None = None
        self.wanted: Source | None = None
        self.codecs = frozenset(("opus", *VIDEO_TYPES))  # narrowed by the browser's answer
        self.is_video = line.kind == "video"
        self.rate = 90000 if self.is_video else 48000
        self.rtx_payload_type = VIDEO_TYPES["VP8"][1]
        second = SEND_TIME_ID << 4 | 2 if self.is_video else 0
        extension = struct.pack("!HHBBB", 0xBEDE, 2, MID_ID << 4, ord(line.mid), second)
        self.tail = line.ssrc.to_bytes(4, "big") + extension  # of every packet's header: who and which line
        self._rtx_tail = (line.rtx_ssrc or 0).to_bytes(4, "big") + extension
        # Low, so that an early wrap does not upset SRTP
        self.numbering: Numbering[Source] = Numbering(secrets.randbits(14))
        self.first = self.add_seq = self.add_time = 0  # of the current segment, for the fan-out
        self._at_cut = (0, 0)  # packets and bytes the source had counted then
        self._before = (0, 0)  # packets and bytes sent of earlier sources
        self.budget = RETRANSMISSIONS_PER_SECOND
        self._repeat = REPEAT_SECONDS[0]
        self._left: tuple[int, float] | None = None  # the last timestamp sent before a cut, and when
        self._rtx_seq = secrets.randbits(14)
        self._asked: dict[int, float] = {}

    @property
    def ready(self) -> bool:
        """The subscriber's SRTP is up."""
        return self.link.tx is not None

    @property
    def last_timestamp(self) -> int | None:
        """The newest RTP timestamp sent on this line; None if it never carried anything. Frames after a cut are
        newer.
        """
        if self.source is not None and self.source.newest is not None:
            return (self.source.newest_timestamp + self.add_time) & 0xFFFFFFFF
        return self._left[0] if self._left is not None else None

    def bind(self, source: Source | None, *, at_once: bool = False) -> None:
        """Carry this source from its next keyframe on. Another person's is cut at once: no old face under a new
        name; another layer of the same picture only if told so.
        """
        if self.wanted is not None:
            self.wanted.waiting.discard(self)
            self.wanted = None
        if source is self.source and source is not None:
            return
        if self.source is not None and (
            at_once or source is None or source.user != self.source.user or self.source.is_ended
        ):
            self._leave()
        if source is not None and source.codec in self.codecs:
            self.wanted = source
            source.waiting.add(self)
            self.up()

    def up(self) -> None:
        """Bound and connected, never before: the keyframe would be lost. A recent one is replayed on a line that never
        carried anything; on any other, replayed frames would push its timestamps ahead of the clock.
        """
        source = self.wanted
        if source is None or not self.ready or not self.is_video or source.newest is None:
            return
        recent = source.since_keyframe() if not self.numbering.segments else []
        if recent and recent[0].seq == source.keyframe:
            self._begin(source, recent[0])
            source.joining.add(self)
            self._replay(source, recent[0].seq)
        else:
            source.want_keyframe()

    def cut_over(self, source: Source, packet: Packet) -> None:
        """This packet is the first of the source here: numbers go on by one, time by the wall clock."""
        self._begin(source, packet)
        source.audience.add(self)

    def _begin(self, source: Source, packet: Packet) -> None:
        now = time.monotonic()
        source.waiting.discard(self)
        if self.source is not None:
            self._leave()
        if self._left is None:
            add_time = secrets.randbits(32)
        else:
            last, at = self._left
            add_time = last + max(1, int((now - at) * self.rate)) - packet.timestamp
        self.source, self.wanted = source, None
        segment = self.numbering.cut(source, packet.seq, add_time)
        self.first, self.add_seq, self.add_time = packet.seq, segment.add_seq, segment.add_time
        self._at_cut = (source.received - 1, source.octets - len(packet.payload))
        if self.is_video:
            self.rtx_payload_type = VIDEO_TYPES[source.codec][1]
        asyncio.get_running_loop().call_soon(self.report)

    def _replay(self, source: Source, seq: int) -> None:
        """The kept packets from there on, a few at a time, and those that come meanwhile; then it is fed like all
        others. At once they would wait in a slow link's queue, before the sound.
        """
        if self.source is not source or self not in source.joining or source.newest is None:
            return
        sent = 0
        while seq <= source.newest and sent < PACED_PACKETS:
            if packet := source.cached(seq):
                source.send([self], packet)
                sent += 1
            seq += 1
        if seq <= source.newest:
            asyncio.get_running_loop().call_later(PACE_SECONDS, self._replay, source, seq)
        else:
            source.joining.discard(self)
            source.audience.add(self)

    def retransmit(self, numbers: Sequence[int]) -> None:
        """The browser lacks these: send what the source's cache has. What it lacks too was lost before us and is
        forwarded under its number when our own request brings it.
        """
        now, counters = time.monotonic(), self.link.counters
        if self.source is not None and self.source.newest is not None:
            self.numbering.reach(self.source.newest)
        for number in numbers:
            counters.nacks_in += 1
            if now - self._asked.get(number, 0.0) < self._repeat or self.budget <= 0:
                continue
            if len(self._asked) >= NACKS_REMEMBERED:
                self._asked.clear()
            self._asked[number] = now
            found = self.numbering.origin(number) if self.numbering.segments else None
            packet = found[0].source.cached(found[1]) if found else None
            # A source that may not be sent any more is gone from its cache, and another person's is not sent again
            # after the cut.
            if found is None or packet is None or found[0].source is not self.source:
                counters.nacks_missed += 1
                continue
            self.budget -= 1
            counters.retransmitted += 1
            found[0].source.retransmitted += 1
            self._send_again(packet, number, (packet.timestamp + found[0].add_time) & 0xFFFFFFFF, found[0].source)

    def tripped(self, seconds: float) -> None:
        """The browser's last round trip. On a link with a queue it asks again before the answer can be there, and
        answers to each would keep the queue as long as it is.
        """
        self._repeat = min(max(0.8 * seconds, REPEAT_SECONDS[0]), REPEAT_SECONDS[1])

    def report(self) -> None:
        """A sender report: the publisher's clock translated to ours and carried on to now. A repeated pair teaches the
        browser nothing, and slots change hands, so that two publishers' clocks must agree.
        """
        source = self.source
        if source is None or source.clock is None or not self.ready or source.clock_offset is None:
            return
        age = time.time() - source.clock.arrived
        timestamp = source.clock.timestamp + int(age * self.rate) + self.add_time
        unix_time = source.clock.ntp - feedback.NTP_EPOCH + source.clock_offset + age
        name, sent = self.line.stream, self._sent()
        self.link.send_rtcp(feedback.sender_report(self.ssrc, name, unix_time, timestamp, *sent))

    def pad(self) -> int:
        """Send a packet of nothing on the stream of retransmissions, where browsers expect it; its bytes, 0 when it
        cannot be sent.
        """
        timestamp = self.last_timestamp
        if self.link.tx is None or timestamp is None:
            return 0
        self._rtx_seq = (self._rtx_seq + 1) & 0xFFFF
        return self._write(VERSION_AND_EXTENSION | 0x20, self.rtx_payload_type, self._rtx_seq, timestamp, PADDING)

    def sent_bits(self) -> int:
        """Everything sent so far, with what each packet carries around its payload."""
        packets, octets = self._sent()
        return 8 * (octets + packets * AROUND_BYTES)

    def tick(self) -> None:
        """Once a second."""
        self.budget = RETRANSMISSIONS_PER_SECOND
        self.report()

    # --- inside -----------------------------------------------------------------------------------
    def _sent(self) -> tuple[int, int]:
        """Packets and payload bytes sent so far."""
        if self.source is None:
            return self._before
        packets, octets = self.source.received - self._at_cut[0], self.source.octets - self._at_cut[1]
        return self._before[0] + packets, self._before[1] + octets

    def _leave(self) -> None:
        """The source does not feed this line any more: keep what followed from it."""
        source = self.source
        assert source is not None
        if self.ready:
            source.audience.flush()
        self._before = self._sent()
        if source.newest is not None and (last := self.last_timestamp) is not None:
            self._left = (last, source.newest_at)
            self.numbering.reach(source.newest)
        source.audience.remove(self)
        source.joining.discard(self)
        self.source = None

    def _send_again(self, packet: Packet, number: int, timestamp: int, source: Source) -> None:
        """Video as RTX, the original number before the payload (RFC 4588, section 4); audio as it was,
        byte-identical.
        """
        payload = packet.payload
        if self.link.tx is None:
            return
        first, second = VERSION_AND_EXTENSION | packet.padding, packet.marker | source.out_type
        if self.is_video:
            payload = write_number(number) + payload
            self._rtx_seq = number = (self._rtx_seq + 1) & 0xFFFF
            second = packet.marker | self.rtx_payload_type
        self._write(first, second, number, timestamp, payload)

    def _write(self, first: int, second: int, number: int, timestamp: int, payload: bytes) -> int:
        """One packet outside the fan-out; how many bytes."""
        link = self.link
        tail, send_time = (self._rtx_tail, send_time_now()) if self.is_video else (self.tail, b"")
        writer(len(payload))(OUT_VIEW, 0, first, second, number, timestamp, tail, send_time, payload)
        LENGTH[0] = HEADER_BYTES + len(payload)
        if protect(link.tx, OUT, LENGTH):
            link.counters.errors += 1
            return 0
        link.send(OUT_VIEW[: LENGTH[0]])
        return int(LENGTH[0])
