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
from signaling.media.ice import Loss, Mux

HEADER_BYTES = 24  # 12 of RTP, 4 + 8 of header extensions, the same for everybody
VERSION_AND_EXTENSION = 0x90
PACKET = "!BBHI11s3s2x{}s"  # flags, type, number, time, `tail` (SSRC and extensions), send time, payload


class Path(Protocol):
    """Where packets leave: `tx` is the SRTP context, `name` the address on `socket` as the system has it."""

    tx: Any
    address: Any
    name: bytes
    socket: Any
    loss: Loss
    mux: Mux


class Line(Protocol):
    """What a receiving m-line adds: see forward.Out."""

    add_seq: int
    add_time: int
    tail: bytes

    @property
    def link(self) -> Path:
        """The connection it belongs to."""


# All of a line that the loop reads, side by side: socket, name, tx, add_seq, add_time, tail, address. With many
# receivers most of the time goes into finding it; plain, because Python takes a named tuple apart item by item.
Row = tuple[Any, bytes, Any, int, int, bytes, Any]
ADDRESS = 6


def row_of(line: Line) -> Row:
    """As it is now; a new one is needed after a cut and after `Mux.moves` has changed."""
    link = line.link
    return link.socket, link.name, link.tx, line.add_seq, line.add_time, line.tail, link.address


@lru_cache(maxsize=2048)
def writer(payload_bytes: int) -> Callable[..., None]:
    """Writes a whole packet: PACKET."""
    return struct.Struct(PACKET.format(payload_bytes)).pack_into


@lru_cache(maxsize=2048)
def _slots_for(payload_bytes: int) -> tuple[Callable[..., None], batch.Lengths]:
    """Writes a whole slot, the receiver's name before the packet; and the lengths of all slots."""
    write = struct.Struct(f"!{batch.NAME_BYTES}s" + PACKET[1:].format(payload_bytes)).pack_into
    return write, batch.lengths(HEADER_BYTES + payload_bytes, USUAL_TAG_BYTES)


def fan_out(rows: Sequence[Row], packet: Packet, payload_type: int, send_time: bytes, counters: Counters) -> None:
    """Send one packet to each of the lines, all of them up; `send_time` is empty for audio."""
    count, done = len(rows), 0
    while done < count:
        done += _send_some(rows[done : done + SLOTS], packet, payload_type, send_time, counters)


def _send_some(
    rows: Sequence[Row], packet: Packet, payload_type: int, send_time: bytes, counters: Counters
) -> int:  # fmt: skip
    """As many of the first lines as share a socket; how many are done with."""
    seq, timestamp, padding, marker, payload = packet
    first_byte, second_byte = VERSION_AND_EXTENSION | padding, marker | payload_type
    write, (before, after, told) = _slots_for(len(payload))
    LENGTHS[:], TOLD[:] = before, told
    sock, secure, view = rows[0][0], protect, VIEW
    filled = failed = 0
    for (index, datagram, at, length), row in zip(TABLE, rows, strict=False):
        socket, name, tx, add_seq, add_time, tail, _ = row
        if socket is not sock:
            filled = index
            break
        write(
            view, at, name, first_byte, second_byte, (seq + add_seq) & 0xFFFF,
            (timestamp + add_time) & 0xFFFFFFFF, tail, send_time, payload,
        )  # fmt: skip
        if secure(tx, datagram, length):
            counters.errors += 1
            filled, failed = index, 1
            break
    else:
        filled = len(rows)
    if LENGTHS[: 4 * filled] != after[: 4 * filled]:  # a cipher with another tag than the usual one
        for index, size in enumerate(LENGTHS[: 4 * filled].cast("i")):
            TOLD[index] = size
    addresses = None if batch.IS_BATCHED else [row[ADDRESS] for row in rows]
    counters.rtp_out += batch.send(sock, filled, addresses, counters)
    return filled + failed
