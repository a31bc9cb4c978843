"""The hottest loop of the product: one packet of a source to everybody it feeds.

Per receiver: header and payload into the one buffer by a single struct call, SRTP in place, the socket. Nothing awaits,
no object is made, and whatever is the same for all receivers is computed before the loop. Numbers and counts are not
kept here: they follow from the source's own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Protocol

from signaling.media.cache import Packet
from signaling.media.counters import Counters
from signaling.media.dtls import BUFFER_BYTES, LENGTH, OUT, OUT_VIEW, protect

HEADER_BYTES = 24  # 12 of RTP, 4 + 8 of header extensions, the same for everybody
VERSION_AND_EXTENSION = 0x90
VIEWS = [OUT_VIEW[:size] for size in range(BUFFER_BYTES + 1)]  # slices of the buffer, made once


class Path(Protocol):
    """Where packets leave: `tx` is the SRTP context or None."""

    tx: Any
    address: Any
    sendto: Callable[[Any, Any], Any]


class Line(Protocol):
    """What a receiving m-line adds: see forward.Out."""

    first: int
    add_seq: int
    add_time: int
    tail: bytes

    @property
    def link(self) -> Path:
        """The connection it belongs to."""


@lru_cache(maxsize=2048)
def writer(payload_bytes: int) -> Callable[..., None]:
    """Writes a whole packet: flags, type, number, time, `tail` (SSRC and extensions), send time, payload."""
    return struct.Struct(f"!BBHI11s3s2x{payload_bytes}s").pack_into


def fan_out(lines: Iterable[Line], packet: Packet, payload_type: int, send_time: bytes, counters: Counters) -> None:
    """Send one packet to each of the lines; `send_time` is empty for audio."""
    seq, timestamp, padding, marker, payload = packet
    first_byte, second_byte = VERSION_AND_EXTENSION | padding, marker | payload_type
    size = HEADER_BYTES + len(payload)
    write, secure, length, buffer, view, views = writer(len(payload)), protect, LENGTH, OUT, OUT_VIEW, VIEWS
    sent = 0
    for line in lines:
        link = line.link
        tx = link.tx
        if seq < line.first or tx is None:
            counters.late_dropped += 1
            continue
        write(
            view, 0, first_byte, second_byte, (seq + line.add_seq) & 0xFFFF,
            (timestamp + line.add_time) & 0xFFFFFFFF, line.tail, send_time, payload,
        )  # fmt: skip
        length[0] = size
        if secure(tx, buffer, length):
            counters.errors += 1
            continue
        try:
            link.sendto(views[length[0]], link.address)
            sent += 1
        except BlockingIOError:
            counters.send_blocked += 1
        except OSError:
            counters.send_failed += 1
    counters.rtp_out += sent
