"""The hottest loop of the product: the packets of a source that came together, to everybody it feeds.

Per packet and receiver: address, header and payload into a slot by a single struct call, and SRTP in place; then one
system call sends a table of them. Nothing awaits, no object is made, and whatever is the same for all receivers is
computed before the loop. Packets of one size go to a receiver as one run (batch.py); browsers cut a frame into pieces
that differ by a byte, which padding makes up. Numbers and counts are not kept here: they follow from the source's own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
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
PADDED_BYTES = 4  # a picture's packet this much shorter than its neighbors is padded to their size
PADDING = 0x20
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
def _slot_writer(payload_bytes: int) -> Callable[..., None]:
    """Writes a whole slot, the receiver's name before the packet."""
    return struct.Struct(f"!{batch.NAME_BYTES}s" + PACKET[1:].format(payload_bytes)).pack_into


@lru_cache(maxsize=2048)
def _lengths_for(payload_bytes: int, last: int, run: int) -> batch.Lengths:
    """The lengths of all slots: the last of each run has another size."""
    sizes = [HEADER_BYTES + payload_bytes] * (run - 1) + [HEADER_BYTES + last]
    return batch.lengths(sizes, USUAL_TAG_BYTES)


def fan_out(
    rows: Sequence[Row], packets: Sequence[Packet], payload_type: int, send_time: bytes, counters: Counters
) -> None:
    """Send packets of one source, in order, to each of the lines, all of them up; `send_time` is empty for audio."""
    for run in runs(packets, batch.longest_run(), may_pad=bool(send_time)):
        at_once = SLOTS // len(run)
        count, done = len(rows), 0
        while done < count:
            done += _send_some(rows[done : done + at_once], run, payload_type, send_time, counters)


def runs(packets: Sequence[Packet], longest: int, *, may_pad: bool) -> Iterator[Sequence[Packet]]:
    """Neighbors that can go as one: of the size of the first, only the last of them shorter. Sound is never padded: it
    is sent again byte for byte.
    """
    if len(packets) == 1 or longest == 1:
        yield from ((packet,) for packet in packets)
        return
    slack, at = PADDED_BYTES if may_pad else 0, 0
    while at < len(packets):
        least = most = len(packets[at].payload)
        end = at + 1
        while end < len(packets) and end - at < longest:
            size = len(packets[end].payload)
            if packets[at].padding or packets[end].padding:
                break
            if max(most, size) - min(least, size) > slack:
                end += size < least  # a shorter one ends the run
                break
            least, most, end = min(least, size), max(most, size), end + 1
        last = packets[end - 1]
        run = [_padded(packet, most) for packet in packets[at : end - 1]]
        yield (*run, last if len(last.payload) < least else _padded(last, most))
        at = end


def _padded(packet: Packet, size: int) -> Packet:
    missing = size - len(packet.payload)
    if not missing:
        return packet
    return packet._replace(padding=PADDING, payload=packet.payload + bytes(missing - 1) + bytes((missing,)))


# How a packet's slot is written, and what of it is the same for everybody: flags, type, number, time, payload.
Part = tuple[Callable[..., None], int, int, int, int, bytes]


def _send_some(
    rows: Sequence[Row], run: Sequence[Packet], payload_type: int, send_time: bytes, counters: Counters
) -> int:  # fmt: skip
    """As many of the first lines as share a socket; how many are done with."""
    parts: list[Part] = [
        (_slot_writer(len(payload)), VERSION_AND_EXTENSION | padding, marker | payload_type, seq, timestamp, payload)
        for seq, timestamp, padding, marker, payload in run
    ]
    many = len(run)
    before, after, told = _lengths_for(len(run[0].payload), len(run[-1].payload), many)
    LENGTHS[:], TOLD[:] = before, told
    filled, failed = _write_one(rows, parts[0], send_time) if many == 1 else _write_runs(rows, parts, send_time)
    counters.errors += failed
    packets = filled * many
    if LENGTHS[: 4 * packets] != after[: 4 * packets]:  # a cipher with another tag than the usual one
        for index, size in enumerate(LENGTHS[: 4 * packets].cast("i")):
            TOLD[index] = size
        many = 1
    addresses = None if batch.IS_BATCHED else [row[ADDRESS] for row in rows]
    counters.rtp_out += batch.send(rows[0][0], packets, addresses, counters, many)
    return filled + failed


def _write_one(rows: Sequence[Row], part: Part, send_time: bytes) -> tuple[int, int]:
    """A packet that goes alone, to as many of the first lines as share a socket; how many, and how many failed."""
    write, first_byte, second_byte, seq, timestamp, payload = part
    sock, secure, view, filled = rows[0][0], protect, VIEW, 0
    for (socket, name, tx, add_seq, add_time, tail, _), (_, datagram, at, length) in zip(rows, TABLE, strict=False):
        if socket is not sock:
            break
        write(
            view, at, name, first_byte, second_byte, (seq + add_seq) & 0xFFFF,
            (timestamp + add_time) & 0xFFFFFFFF, tail, send_time, payload,
        )  # fmt: skip
        if secure(tx, datagram, length):
            return filled, 1
        filled += 1
    return filled, 0


def _write_runs(rows: Sequence[Row], parts: Sequence[Part], send_time: bytes) -> tuple[int, int]:
    """The same for several packets that go together; apart from it because a loop in the loop costs as much for one as
    writing its header does.
    """
    sock, secure, view, slots = rows[0][0], protect, VIEW, iter(TABLE)
    filled = bad = 0
    for row in rows:
        socket, name, tx, add_seq, add_time, tail, _ = row
        if socket is not sock:
            break
        for (write, first_byte, second_byte, seq, timestamp, payload), (_, datagram, at, length) in zip(
            parts, slots, strict=False
        ):
            write(
                view, at, name, first_byte, second_byte, (seq + add_seq) & 0xFFFF,
                (timestamp + add_time) & 0xFFFFFFFF, tail, send_time, payload,
            )  # fmt: skip
            bad |= secure(tx, datagram, length)
        if bad:
            return filled, 1
        filled += 1
    return filled, 0
