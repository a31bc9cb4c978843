"""The hottest loop of the product: one packet of a source to everybody it feeds.

Per receiver: address, header and payload into a slot by a single struct call, and SRTP in place; then one system call
sends them all. Nothing awaits, no object is made, and whatever is the same for all receivers is computed before the
loop. Numbers and counts are not kept here: they follow from the source's own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

from signaling.media import batch
from signaling.media.batch import LENGTHS, SLOTS, TABLE, TOLD, VIEW
from signaling.media.cache import Packet
from signaling.media.counters import Counters
from signaling.media.dtls import USUAL_TAG_BYTES, protect
from signaling.media.ice import Loss

HEADER_BYTES = 24  # 12 of RTP, 4 + 8 of header extensions, the same for everybody
VERSION_AND_EXTENSION = 0x90
PACKET = "!BBHI11s3s2x{}s"  # flags, type, number, time, `tail` (SSRC and extensions), send time, payload


class Path(Protocol):
    """Where packets leave: `tx` is the SRTP context, `name` the address as the system has it."""

    tx: Any
    address: Any
    name: bytes
    socket: Any
    loss: Loss


class Line(Protocol):
    """What a receiving m-line adds: see forward.Out."""

    add_seq: int
    add_time: int
    tail: bytes

    @property
    def link(self) -> Path:
        """The connection it belongs to."""


@lru_cache(maxsize=2048)
def writer(payload_bytes: int) -> Callable[..., None]:
    """Writes a whole packet: PACKET."""
    return struct.Struct(PACKET.format(payload_bytes)).pack_into


@lru_cache(maxsize=2048)
def _slots_for(payload_bytes: int) -> tuple[Callable[..., None], batch.Lengths]:
    """Writes a whole slot, the receiver's name before the packet; and the lengths of all slots."""
    write = struct.Struct(f"!{batch.NAME_BYTES}s" + PACKET[1:].format(payload_bytes)).pack_into
    return write, batch.lengths(HEADER_BYTES + payload_bytes, USUAL_TAG_BYTES)


def fan_out(lines: Sequence[Line], packet: Packet, payload_type: int, send_time: bytes, counters: Counters) -> None:
    """Send one packet to each of the lines, all of them up; `send_time` is empty for audio."""
    if lines and (loss := lines[0].link.loss).outgoing:
        lines = [line for line in lines if not loss.takes(loss.outgoing)]
    count, done = len(lines), 0
    while done < count:
        done += _send_some(lines[done : done + SLOTS], packet, payload_type, send_time, counters)


def _send_some(
    lines: Sequence[Line], packet: Packet, payload_type: int, send_time: bytes, counters: Counters
) -> int:  # fmt: skip
    """As many of the first lines as share a socket; how many are done with."""
    seq, timestamp, padding, marker, payload = packet
    first_byte, second_byte = VERSION_AND_EXTENSION | padding, marker | payload_type
    write, (before, after, told) = _slots_for(len(payload))
    LENGTHS[:], TOLD[:] = before, told
    sock, secure, view = lines[0].link.socket, protect, VIEW
    filled = failed = 0
    for (index, datagram, at, length), line in zip(TABLE, lines, strict=False):
        link = line.link
        if link.socket is not sock:
            filled = index
            break
        write(
            view, at, link.name, first_byte, second_byte, (seq + line.add_seq) & 0xFFFF,
            (timestamp + line.add_time) & 0xFFFFFFFF, line.tail, send_time, payload,
        )  # fmt: skip
        if secure(link.tx, datagram, length):
            counters.errors += 1
            filled, failed = index, 1
            break
    else:
        filled = len(lines)
    if LENGTHS[: 4 * filled] != after[: 4 * filled]:  # a cipher with another tag than the usual one
        for index, size in enumerate(LENGTHS[: 4 * filled].cast("i")):
            TOLD[index] = size
    addresses = None if batch.IS_BATCHED else [line.link.address for line in lines]
    counters.rtp_out += batch.send(sock, filled, addresses, counters)
    return filled + failed
