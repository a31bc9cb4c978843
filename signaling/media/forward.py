"""The hot path: one m-line of a subscriber, and how a packet is rewritten, protected and sent on it.

SSRC, payload type, number and timestamp are written over, the publisher's header extensions are gone, ours have a
constant length. Between the source's loop and the socket nothing awaits and nothing is allocated but a slice. The
source behind an m-line changes without the browser's knowledge: video at a keyframe, audio at any packet.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections.abc import Sequence

from signaling.media import feedback
from signaling.media.dtls import LENGTH, OUT, OUT_VIEW, protect
from signaling.media.link import Link
from signaling.media.numbering import Numbering
from signaling.media.sdp_lines import AUDIO_TYPE, MID_ID, SEND_TIME_ID, VIDEO_TYPES, PoolLine
from signaling.media.source import Packet, Source, send_time_now

HEADER_BYTES = 24  # 12 of RTP, 4 + 8 of header extensions, the same for everybody
write_header = struct.Struct("!BBHII7s3s2x").pack_into
write_number = struct.Struct("!H").pack_into
VERSION_AND_EXTENSION = 0x90
REPEAT_SECONDS = 0.02  # a number asked for again within this is on its way already
RETRANSMISSIONS_PER_SECOND = 500  # of one m-line; a subscriber that asks for more gets the rest next second
NACKS_REMEMBERED = 512


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
        self.payload_type, self.rtx_payload_type = (AUDIO_TYPE, AUDIO_TYPE) if not self.is_video else VIDEO_TYPES["VP8"]
        second = SEND_TIME_ID << 4 | 2 if self.is_video else 0
        self.extension = struct.pack("!HHBBB", 0xBEDE, 2, MID_ID << 4, ord(line.mid), second)
        # Low, so that an early wrap does not upset SRTP
        self.numbering: Numbering[Source] = Numbering(secrets.randbits(14))
        self.add_time = 0
        self.packets = self.octets = 0
        self.budget = RETRANSMISSIONS_PER_SECOND
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

    def bind(self, source: Source | None) -> None:
        """Carry this source from its next keyframe on. Another person's is cut at once: no old face under a new
        name.
        """
        if self.wanted is not None:
            self.wanted.waiting.discard(self)
            self.wanted = None
        if source is self.source and source is not None:
            return
        if self.source is not None and (source is None or source.user != self.source.user or self.source.is_ended):
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
        recent = source.since_keyframe() if self.numbering.current is None else []
        if recent and recent[0].seq == source.keyframe:
            self.cut_over(source, recent[0].seq, recent[0].timestamp)
            self._replay(recent)
        else:
            source.want_keyframe()

    def cut_over(self, source: Source, seq: int, timestamp: int) -> None:
        """This packet is the first of the source here: numbers go on by one, time by the wall clock."""
        now = time.monotonic()
        source.waiting.discard(self)
        if self.source is not None:
            self._leave()
        if self._left is None:
            add_time = secrets.randbits(32)
        else:
            last, at = self._left
            add_time = last + max(1, int((now - at) * self.rate)) - timestamp
        self.source, self.wanted = source, None
        source.outs.append(self)
        self.add_time = self.numbering.cut(source, seq, add_time).add_time
        if self.is_video:
            self.payload_type, self.rtx_payload_type = VIDEO_TYPES[source.codec]
        asyncio.get_running_loop().call_soon(self.report)

    def forward(self, seq: int, timestamp: int, padding: int, marker: int, payload: bytes, send_time: bytes) -> None:
        """Send one packet of the source on."""
        link = self.link
        number = self.numbering.carry(seq)
        if number < 0 or link.tx is None:
            link.counters.late_dropped += 1
            return
        octets = len(payload)
        size = HEADER_BYTES + octets
        write_header(
            OUT_VIEW, 0, VERSION_AND_EXTENSION | padding, marker | self.payload_type, number,
            (timestamp + self.add_time) & 0xFFFFFFFF, self.ssrc, self.extension, send_time,
        )  # fmt: skip
        OUT_VIEW[HEADER_BYTES:size] = payload
        LENGTH[0] = size
        if protect(link.tx, OUT, LENGTH):
            link.counters.errors += 1
            return
        self.packets += 1
        self.octets += octets
        link.send(OUT_VIEW[: LENGTH[0]], link.address)

    def retransmit(self, numbers: Sequence[int]) -> None:
        """The browser lacks these: send what the source's cache has. What it lacks too was lost before us and is
        forwarded under its number when our own request brings it.
        """
        now, counters = time.monotonic(), self.link.counters
        for number in numbers:
            counters.nacks_in += 1
            if now - self._asked.get(number, 0.0) < REPEAT_SECONDS or self.budget <= 0:
                continue
            if len(self._asked) >= NACKS_REMEMBERED:
                self._asked.clear()
            self._asked[number] = now
            found = self.numbering.origin(number)
            packet = found[0].source.cached(found[1]) if found else None
            # A source that may not be sent any more is gone from its cache, and another person's is not sent again
            # after the cut.
            if found is None or packet is None or found[0].source is not self.source:
                counters.nacks_missed += 1
                continue
            self.budget -= 1
            counters.retransmitted += 1
            self._send_again(packet, number, (packet.timestamp + found[0].add_time) & 0xFFFFFFFF)

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
        self.link.send_rtcp(
            *feedback.sender_report(self.ssrc, self.line.stream, unix_time, timestamp, self.packets, self.octets)
        )

    def tick(self) -> None:
        """Once a second."""
        self.budget = RETRANSMISSIONS_PER_SECOND
        self.report()

    # --- inside -----------------------------------------------------------------------------------
    def _leave(self) -> None:
        source = self.source
        assert source is not None
        last = self.last_timestamp
        if last is not None:
            self._left = (last, source.newest_at if source.newest is not None else time.monotonic())
        if self in source.outs:
            source.outs.remove(self)
        self.source = None

    def _replay(self, packets: Sequence[Packet]) -> None:
        send_time = send_time_now()
        self.link.counters.rtp_out += len(packets)
        for packet in packets:
            self.forward(*packet, send_time)

    def _send_again(self, packet: Packet, number: int, timestamp: int) -> None:
        """Video as RTX, the original number in front of the payload (RFC 4588, section 4); audio under its own number,
        byte-identical.
        """
        link = self.link
        if link.tx is None:
            return
        start = HEADER_BYTES
        if self.is_video:
            self._rtx_seq = (self._rtx_seq + 1) & 0xFFFF
            write_header(
                OUT_VIEW, 0, VERSION_AND_EXTENSION | packet.padding, packet.marker | self.rtx_payload_type,
                self._rtx_seq, timestamp, self.line.rtx_ssrc, self.extension, send_time_now(),
            )  # fmt: skip
            write_number(OUT_VIEW, start, number)
            start += 2
        else:
            write_header(
                OUT_VIEW, 0, VERSION_AND_EXTENSION | packet.padding, packet.marker | self.payload_type, number,
                timestamp, self.ssrc, self.extension, b"",
            )  # fmt: skip
        size = start + len(packet.payload)
        OUT_VIEW[start:size] = packet.payload
        LENGTH[0] = size
        if protect(link.tx, OUT, LENGTH):
            link.counters.errors += 1
            return
        link.send(OUT_VIEW[: LENGTH[0]], link.address)
