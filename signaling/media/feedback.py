"""RTCP both ways: what is missing and when to ask for it, keyframe requests, and the reports.

The deciding parts take the time as an argument and hold no timer, so that lost packets are tested without waiting.
Formats: RFC 3550 (reports), RFC 4585 (NACK, PLI), RFC 5104 (FIR), draft-alvestrand-rmcat-remb-03 (REMB); aiortc's
classes pack them.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from signaling.media.dtls import rtp

OUR_SSRC = 1  # sender of feedback toward publishers; we send them no media
LARGEST_GAP = 200  # a longer jump is a new beginning, not loss: a keyframe is asked for instead
FIRST_ASK_SECONDS = 0.02  # reordered packets come by themselves within this
ASK_AGAIN_SECONDS = 0.06
GIVE_UP_SECONDS = {"video": 1.0, "audio": 0.3}  # after that nobody waits for it any more
ASKS = 8
KEYFRAME_SECONDS = 0.5  # at most one request per source in this time, whoever asks
pack_report, pack_names = struct.Struct("!BBHIQIII").pack, struct.Struct("!BBHI").pack
NTP_EPOCH = 2208988800  # 1900 to 1970, seconds


class Gaps:
    """The (extended) sequence numbers a source lacks: noted at a jump, asked for with timers, given up in time."""

    def __init__(self, kind: str) -> None:
        self.give_up = GIVE_UP_SECONDS[kind]
        self._missing: dict[int, list[float]] = {}  # number -> [noted at, last asked at, times asked]

    def __len__(self) -> int:
        return len(self._missing)

    def jumped(self, newest: int, ahead: int, now: float) -> None:
        """A packet `ahead` numbers past `newest` came; those between are missing. At most LARGEST_GAP are held."""
        for step in range(1, ahead if ahead <= LARGEST_GAP else 0):
            if len(self._missing) < LARGEST_GAP:
                self._missing[newest + step] = [now, float("-inf"), 0]

    def arrived(self, seq: int) -> None:
        """It came after all."""
        self._missing.pop(seq, None)

    def clear(self) -> None:
        """Nothing older matters: a keyframe has begun, or the source has begun anew."""
        self._missing.clear()

    def due(self, now: float) -> list[int]:
        """The numbers to ask for now, in order of their noting; call again every 20 ms or so while there are any."""
        ask = []
        for seq, entry in list(self._missing.items()):
            noted, asked, times = entry
            if now - noted > self.give_up or times >= ASKS:
                del self._missing[seq]
            elif now - noted >= FIRST_ASK_SECONDS and now - asked >= ASK_AGAIN_SECONDS:
                entry[1], entry[2] = now, times + 1
                ask.append(seq)
        return ask


class KeyframeRequests:
    """Coalesces everybody's wish for a keyframe into at most one request per KEYFRAME_SECONDS."""

    def __init__(self) -> None:
        self._asked = float("-inf")

    def may_ask(self, now: float) -> bool:
        """True when a request is to be sent now, which then counts as sent."""
        if now - self._asked < KEYFRAME_SECONDS:
            return False
        self._asked = now
        return True


class SenderClock(NamedTuple):
    """The last sender report: the publisher's clock (NTP seconds), RTP timestamp, our arrival time (unix), and the NTP
    field.
    """

    ntp: float
    timestamp: int
    arrived: float
    ntp_field: int


class Reception:
    """What our reports to a publisher say of one of its sources: loss and jitter (RFC 3550, sections 6.4.1 and A.8)."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.received = 0
        self.begin(0)

    def begin(self, newest: int) -> None:
        """Counting starts anew with this extended number."""
        self._base, self.received = newest, 0
        self._before = (0, 0)
        self._jitter = 0.0
        self._transit: float | None = None

    def arrived(self, timestamp: int, now: float) -> None:
        """The newest packet so far, and when it came."""
        transit = now * self.rate - timestamp
        if self._transit is not None:
            self._jitter += (min(abs(transit - self._transit), self.rate) - self._jitter) / 16
        self._transit = transit

    def missing(self, newest: int) -> int:
        """Up to this extended number; not below zero, though some came twice."""
        return max(0, newest - self._base + 1 - self.received)

    def block(self, ssrc: int, newest: int, clock: SenderClock | None) -> Any:
        """The report block, with what lets the publisher compute the round trip."""
        expected = newest - self._base + 1
        span, got = expected - self._before[0], self.received - self._before[1]
        self._before = (expected, self.received)
        last, delay = 0, 0
        if clock is not None:
            last = (clock.ntp_field >> 16) & 0xFFFFFFFF
            delay = int((time.time() - clock.arrived) * 65536) & 0xFFFFFFFF
        return rtp.RtcpReceiverInfo(
            ssrc=ssrc, fraction_lost=min(255, max(0, (span - got) * 256 // span)) if span > 0 else 0,
            packets_lost=rtp.clamp_packets_lost(expected - self.received),
            highest_sequence=(newest - 0x10000) & 0xFFFFFFFF, jitter=int(self._jitter), lsr=last, dlsr=delay,
        )  # fmt: skip


# --- messages to publishers -----------------------------------------------------------------------
def nack(ssrc: int, numbers: Sequence[int]) -> tuple[Any, ...]:
    """Ask a publisher to send these again; a compound begins with a report (RFC 3550, section 6.1)."""
    lost = sorted(numbers)
    return rtp.RtcpRrPacket(ssrc=OUR_SSRC), rtp.RtcpRtpfbPacket(
        fmt=rtp.RTCP_RTPFB_NACK, ssrc=OUR_SSRC, media_ssrc=ssrc, lost=lost
    )


def picture_loss(ssrc: int) -> tuple[Any, ...]:
    """Ask a publisher for a keyframe."""
    return rtp.RtcpRrPacket(ssrc=OUR_SSRC), rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_PLI, ssrc=OUR_SSRC, media_ssrc=ssrc)


def rate_cap(bits_per_second: int, ssrcs: Sequence[int]) -> tuple[Any, ...]:
    """Tell a publisher how much it may send: a policy value, never an estimate, which would hold Chromium near 0.5
    Mbit/s.
    """
    fci = rtp.pack_remb_fci(bits_per_second, list(ssrcs))
    return rtp.RtcpRrPacket(ssrc=OUR_SSRC), rtp.RtcpPsfbPacket(
        fmt=rtp.RTCP_PSFB_APP, ssrc=OUR_SSRC, media_ssrc=0, fci=fci
    )


# --- messages to subscribers ----------------------------------------------------------------------
def sender_report(ssrc: int, cname: str, unix_time: float, timestamp: int, packets: int, octets: int) -> bytes:
    """The pair of clocks of one outgoing stream, with its name; browsers synchronize lips by it.

    Packed by hand: with a hundred subscribers these are most of what is sent beside media.
    """
    ntp = int((unix_time + NTP_EPOCH) * 2**32) & 0xFFFFFFFFFFFFFFFF
    counts = timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
    name = bytes([1, len(cname)]) + cname.encode()
    name += bytes(4 - len(name) % 4)  # at least one zero ends the list (RFC 3550, section 6.5)
    return pack_report(0x80, 200, 6, ssrc, ntp, *counts) + pack_names(0x81, 202, 1 + len(name) // 4, ssrc) + name


# --- messages read --------------------------------------------------------------------------------
def keyframe_wishes(packet: Any) -> list[int]:
    """The SSRCs a PLI or FIR asks a keyframe of. A FIR names them in its entries, not in its header (RFC 5104, section
    4.3.1).
    """
    if packet.fmt == rtp.RTCP_PSFB_PLI:
        return [packet.media_ssrc]
    if packet.fmt == rtp.RTCP_PSFB_FIR:
        return [struct.unpack_from("!I", packet.fci, at)[0] for at in range(0, min(len(packet.fci), 128) - 7, 8)]
    return []


def remb_of(packet: Any) -> int | None:
    """The bits per second a REMB states; None for any other message or a malformed one."""
    if packet.fmt != rtp.RTCP_PSFB_APP:
        return None
    try:
        return int(rtp.unpack_remb_fci(packet.fci)[0])
    except (ValueError, struct.error):
        return None
