"""Two kinds of peers without a browser, over a wire of their own to a real media worker.

They play the browser's part: a sender of VP8 (or H.264) and Opus packets with numbered content, and a receiver that
keeps what came.
"""

from __future__ import annotations

import asyncio
import random
import re
import secrets
import struct
from typing import Any

from signaling.media.client import MediaClient, Track
from signaling.media.dtls import rtp
from signaling.media.sdp import LEVEL_EXTENSION, REPAIRED_RID_EXTENSION, RID_EXTENSION, TRANSPORT_CC_EXTENSION
from tests.signaling.media.wire import CERTIFICATE, Described, Received, Wire

LINE = {
    "microphone": ("audio", 111, None),
    "camera": ("video", 96, 97),
    "screen": ("video", 96, 97),
    "screen_audio": ("audio", 111, None),
}


SIZED = b"\x9d\x01\x2a"
WIDTHS = {"l": 320, "m": 640, "h": 1280}  # of a camera's layers, by rid


def line_of(stream: str) -> tuple[str, int, int | None]:
    """Kind and payload types; a layer's stream is called `camera/h`."""
    return LINE[stream.split("/")[0]]


def frame(codec: str, content: bytes, *, key: bool, width: int | None = None) -> bytes:
    """A payload with two bytes of codec before the content: VP8's descriptor and frame header, or an H.264 slice's.
    With a width, a VP8 frame header in full.
    """
    if width is not None:
        return bytes([0x10, 0 if key else 1, 0, 0]) + SIZED + struct.pack("<HH", width, width * 9 // 16) + content
    if codec == "VP8":
        return bytes([0x10, 0x00 if key else 0x01]) + content
    return bytes([0x65 if key else 0x61, 0x88]) + content


class PublishingPeer:
    """A user who sends. Each packet's payload ends with its own number, so that receivers can tell what came."""

    def __init__(
        self,
        user: int,
        sources: tuple[str, ...] = ("microphone", "camera"),
        name: str | None = None,
        codec: str = "VP8",
        rids: tuple[str, ...] = (),
    ) -> None:
        self.user, self.sources, self.name, self.codec = user, sources, name or f"publisher-{user}", codec
        self.wire = Wire()
        self.session = secrets.randbits(50)
        self.mids = {source: str(index) for index, source in enumerate(sources)}
        self.rids = rids  # of the camera; each is a stream of its own, `camera/h`
        streams = [
            s
            for source in sources
            for s in ([f"camera/{r}" for r in rids] if source == "camera" and rids else [source])
        ]
        self.ssrcs = {stream: secrets.randbits(31) for stream in streams}
        self.seqs = {stream: secrets.randbits(15) for stream in streams}
        self.timestamps = {stream: secrets.randbits(31) for stream in streams}
        self.sent: dict[str, dict[int, bytes]] = {stream: {} for stream in streams}
        self.keyframes_asked = 0
        self.asked_of: list[str] = []  # which stream, for each of those
        self.nacked: list[int] = []
        self.answers_nacks = True
        self.numbered = 0  # packets that carried a number of the connection's own
        self.arrivals: list[Any] = []  # feedback about those
        self.remb: int | None = None
        self.reports: list[Any] = []
        self.lose = 0.0
        self.level: int | None = None  # of its voice, told beside each sound packet
        self.wire.on_rtcp = self._rtcp
        self._rtx_seq = secrets.randbits(15)

    def offer(self) -> str:
        """What its browser would say."""
        out = ["v=0", f"o=- {self.session} 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
        out += [f"a=group:BUNDLE {' '.join(self.mids.values())}"]
        for source, mid in self.mids.items():
            kind, payload_type, rtx = LINE[source]
            types = f"{payload_type} {rtx}" if rtx else f"{payload_type}"
            out += [f"m={kind} 9 UDP/TLS/RTP/SAVPF {types}", "c=IN IP4 0.0.0.0", f"a=ice-ufrag:{self.wire.ufrag}"]
            out += [f"a=ice-pwd:{self.wire.password}", f"a=fingerprint:sha-256 {CERTIFICATE.sha256}", "a=setup:actpass"]
            out += [f"a=mid:{mid}", "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=sendonly", "a=rtcp-mux"]
            out += [f"a=extmap:5 {TRANSPORT_CC_EXTENSION}", f"a=extmap:8 {LEVEL_EXTENSION}"]
            out += [f"a=rtpmap:{payload_type} {'opus/48000/2' if kind == 'audio' else self.codec + '/90000'}"]
            if kind == "video" and self.codec == "H264":
                out += [f"a=fmtp:{payload_type} packetization-mode=1;profile-level-id=42e01f"]
            if rtx:
                out += [f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={payload_type}"]
            if source == "camera" and self.rids:
                out += [f"a=extmap:6 {RID_EXTENSION}", f"a=extmap:7 {REPAIRED_RID_EXTENSION}"]
                out += [*(f"a=rid:{rid} send" for rid in self.rids), f"a=simulcast:send {';'.join(self.rids)}"]
        return "\r\n".join(out) + "\r\n"

    def tracks(self) -> list[Track]:
        """What its page would say beside the offer."""
        return [Track(mid, source) for source, mid in self.mids.items()]

    async def publish(self, client: MediaClient, room: int) -> PublishingPeer:
        """Offer, answer, connect."""
        answer = await client.publish(room, self.name, self.user, self.offer(), self.tracks())
        await self.wire.connect(Described.read(answer))
        return self

    def send(self, source: str, *, key: bool = False, count: int = 1, size: int = 200, tail: bytes = b"") -> None:
        """The next `count` packets of a source; for video each is a frame of its own, the first a keyframe if asked."""
        kind, payload_type, _ = line_of(source)
        width = WIDTHS[source.split("/")[1]] if "/" in source else None
        for index in range(count):
            self.seqs[source] = seq = (self.seqs[source] + 1) & 0xFFFF
            self.timestamps[source] += 960 if kind == "audio" else 4500
            content = struct.pack("!IH", self.user, seq) + bytes(size) + tail
            payload = content if kind == "audio" else frame(self.codec, content, key=key and index == 0, width=width)
            self.sent[source][seq] = payload
            if random.random() >= self.lose:
                self.wire.send_rtp(self._packet(source, seq, payload_type, self.ssrcs[source], payload))

    def send_late(self, source: str, seq: int) -> None:
        """A packet that was held back, under its own number."""
        self.wire.send_rtp(self._packet(source, seq, line_of(source)[1], self.ssrcs[source], self.sent[source][seq]))

    def hold_back(self, source: str, *, key: bool = False) -> int:
        """Number a packet without sending it."""
        lose, self.lose = self.lose, 2.0
        self.send(source, key=key)
        self.lose = lose
        return self.seqs[source]

    def report(self, source: str, clock: float) -> None:
        """A sender report with its own clock (unix seconds)."""
        info = rtp.RtcpSenderInfo(int((clock + 2208988800) * 2**32), self.timestamps[source] & 0xFFFFFFFF, 1, 1)
        self.wire.send_rtcp(rtp.RtcpSrPacket(ssrc=self.ssrcs[source], sender_info=info))

    def _packet(self, source: str, seq: int, payload_type: int, ssrc: int, payload: bytes) -> bytes:
        self.numbered += 1
        number = 5 << 4 | 1, self.numbered & 0xFFFF
        name, _, rid = source.partition("/")
        extension = struct.pack("!HHBBBHxxx", 0xBEDE, 2, 4 << 4, ord(self.mids[name]), *number)
        if rid:
            which = (6 if payload_type == line_of(source)[1] else 7) << 4
            extension = extension[:9] + bytes([which, ord(rid), 0])
        if name == "microphone" and self.level is not None:
            extension = extension[:9] + bytes([8 << 4, 0x80 | self.level, 0])
        timestamp = self.timestamps[source] & 0xFFFFFFFF
        return struct.pack("!BBHII", 0x90, payload_type, seq, timestamp, ssrc) + extension + payload

    def _rtcp(self, packets: list[Any]) -> None:
        for packet in packets:
            if isinstance(packet, rtp.RtcpPsfbPacket) and packet.fmt == rtp.RTCP_PSFB_PLI:
                self.keyframes_asked += 1
                self.asked_of += [stream for stream, ssrc in self.ssrcs.items() if ssrc == packet.media_ssrc]
            elif isinstance(packet, rtp.RtcpPsfbPacket) and packet.fmt == rtp.RTCP_PSFB_APP:
                self.remb = rtp.unpack_remb_fci(packet.fci)[0]
            elif isinstance(packet, rtp.RtcpRrPacket):
                self.reports += packet.reports
            elif isinstance(packet, rtp.RtcpRtpfbPacket) and packet.fmt == 15:
                self.arrivals.append(packet)
            elif isinstance(packet, rtp.RtcpRtpfbPacket):
                self.nacked += packet.lost
                if self.answers_nacks:
                    self._repair(packet)

    def _repair(self, packet: Any) -> None:
        source = next(s for s, ssrc in self.ssrcs.items() if ssrc == packet.media_ssrc)
        for seq in packet.lost:
            if seq not in self.sent[source] or random.random() < self.lose:
                continue
            rtx = line_of(source)[2]
            if rtx is None:
                self.send_late(source, seq)
                continue
            self._rtx_seq = (self._rtx_seq + 1) & 0xFFFF
            payload = struct.pack("!H", seq) + self.sent[source][seq]
            self.wire.send_rtp(self._packet(source, self._rtx_seq, rtx, self.ssrcs[source] ^ 0x40000000, payload))


class SubscribingPeer:
    """A user who receives: all packets by mid, and NACKs for gaps when it wants to."""

    def __init__(self, user: int, name: str | None = None) -> None:
        self.user, self.name = user, name or f"subscriber-{user}"
        self.wire = Wire()
        self.packets: dict[str, list[Received]] = {str(mid): [] for mid in range(10)}
        self.revision = 0
        self.bindings: dict[str, Any] = {}
        self.asks_for_missing = False
        self.lose = 0.0
        self.reports: list[Any] = []
        self.wire.on_rtp, self.wire.on_rtcp = self._rtp, self._rtcp
        self._mid_of: dict[int, str] = {}
        self._rtx: set[int] = set()
        self._timer: asyncio.Task[None] | None = None

    async def subscribe(self, client: MediaClient, room: int) -> SubscribingPeer:
        """Be offered the pool, answer it, connect."""
        described = await self.take_offer(client, room)
        await client.answer(room, self.name, self.revision, self.answer(described))
        await self.wire.connect(described)
        if self.asks_for_missing:
            self._timer = asyncio.create_task(self._ask_often())
        return self

    async def take_offer(self, client: MediaClient, room: int) -> Described:
        """Only the offer."""
        offer = await client.subscribe(room, self.name, self.user)
        return self.read_offer(offer.revision, offer.sdp, offer.bindings)

    def read_offer(self, revision: int, text: str, bindings: dict[str, Any]) -> Described:
        """Note which SSRC is whose."""
        self.revision, self.bindings = revision, bindings
        described = Described.read(text)
        for line in described.lines:
            mid = re.search(r"a=mid:(\S+)", line).group(1)  # type: ignore[union-attr]
            ssrcs = [int(s) for s in re.findall(r"a=ssrc:(\d+) cname", line)]
            self._mid_of.update(dict.fromkeys(ssrcs, mid))
            self._rtx.update(ssrcs[1:])
        return described

    def answer(self, described: Described) -> str:
        """What its browser would say to the pool."""
        mids = " ".join(re.findall(r"(?m)^a=mid:(\S+)", described.text))
        out = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
        for line in described.lines:
            first = line.splitlines()[0]
            out += [first, "c=IN IP4 0.0.0.0", f"a=ice-ufrag:{self.wire.ufrag}", f"a=ice-pwd:{self.wire.password}"]
            out += [f"a=fingerprint:sha-256 {CERTIFICATE.sha256}", "a=setup:active", "a=recvonly", "a=rtcp-mux"]
            kept = ("a=mid:", "a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")
            out += [row for row in line.splitlines() if row.startswith(kept)]
        return "\r\n".join(out) + "\r\n"

    def senders(self, mid: str) -> list[int]:
        """The user behind each packet of an m-line, in the order they came."""
        return [self._content(p)[0] for p in self.packets[mid]]

    def numbers(self, mid: str) -> list[int]:
        """The publisher's own number of each packet, in the order they came."""
        return [self._content(p)[1] for p in self.packets[mid]]

    def widths(self, mid: str) -> list[int]:
        """The width each packet of a layer tells of, in the order they came."""
        return [int.from_bytes(p.payload[7:9], "little") for p in self.packets[mid]]

    def ask_for(self, mid: str, numbers: list[int]) -> None:
        """A NACK."""
        ssrc = next(s for s, m in self._mid_of.items() if m == mid and s not in self._rtx)
        nack = rtp.RtcpRtpfbPacket(fmt=rtp.RTCP_RTPFB_NACK, ssrc=1, media_ssrc=ssrc, lost=numbers)
        self.wire.send_rtcp(rtp.RtcpRrPacket(ssrc=1), nack)

    def report_trip(self, mid: str, seconds: float) -> None:
        """A receiver report by which the last sender report took so long there and back."""
        ssrc = next(s for s, m in self._mid_of.items() if m == mid and s not in self._rtx)
        sent = next(report for report in reversed(self.reports) if report.ssrc == ssrc)
        lsr = (int(sent.sender_info.ntp_timestamp) >> 16) - int(seconds * 65536)
        block = rtp.RtcpReceiverInfo(
            ssrc=ssrc, fraction_lost=0, packets_lost=0, highest_sequence=0, jitter=0, lsr=lsr & 0xFFFFFFFF, dlsr=0
        )
        self.wire.send_rtcp(rtp.RtcpRrPacket(ssrc=1, reports=[block]))

    def ask_keyframe(self, mid: str, *, by_fir: bool = False) -> None:
        """A PLI or a FIR."""
        ssrc = next(s for s, m in self._mid_of.items() if m == mid and s not in self._rtx)
        if by_fir:
            fci = struct.pack("!IBxxx", ssrc, 1)
            wish = rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_FIR, ssrc=1, media_ssrc=0, fci=fci)
        else:
            wish = rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_PLI, ssrc=1, media_ssrc=ssrc)
        self.wire.send_rtcp(rtp.RtcpRrPacket(ssrc=1), wish)

    def _content(self, packet: Received) -> tuple[int, int]:
        start = 0 if packet.payload_type == 111 else 11 if packet.payload[4:7] == SIZED else 2
        user, seq = struct.unpack_from("!IH", packet.payload, start)
        return user, seq

    def _rtp(self, packet: Received) -> None:
        if random.random() < self.lose:
            return
        mid = self._mid_of[packet.ssrc]
        assert packet.mid == mid
        if packet.ssrc in self._rtx:
            (packet.seq,) = struct.unpack_from("!H", packet.payload)
            packet.payload, packet.payload_type = packet.payload[2:], packet.payload_type - 1
        self.packets[mid].append(packet)

    def _rtcp(self, packets: list[Any]) -> None:
        self.reports += [packet for packet in packets if isinstance(packet, rtp.RtcpSrPacket)]

    async def _ask_often(self) -> None:
        while True:
            await asyncio.sleep(0.03)
            for mid, packets in self.packets.items():
                seen = {p.seq for p in packets}
                if len(seen) > 1:
                    newest = packets[-1].seq
                    span = min((newest - packets[0].seq) & 0xFFFF, 100)
                    missing = [n for i in range(span) if (n := (newest - i) & 0xFFFF) not in seen]
                    if missing:
                        self.ask_for(mid, sorted(missing))
