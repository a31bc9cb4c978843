"""The last packets of a source, by extended sequence number.

One cache serves every subscriber's retransmissions. A number is taken at most once: under AES-GCM the same number must
never be sent with two different contents, so a duplicate is refused, and so is what is older than the cache, of which
nobody can tell any more whether it was sent.
"""

from __future__ import annotations

from typing import NamedTuple


class Packet(NamedTuple):
    """An RTP packet as far as it is sent on: extended number, timestamp, padding and marker bits in place, payload."""

    seq: int
    timestamp: int
    padding: int
    marker: int
    payload: bytes


class PacketCache:
    """A ring of the last `size` numbers; `size` is a power of two."""

    def __init__(self, size: int) -> None:
        self._mask = size - 1
        self._ring: list[Packet | None] = [None] * size

    def put(self, packet: Packet, newest: int) -> bool:
        """Keep a packet; False when it was here already or is older than the ring reaches back from `newest`."""
        if newest - packet.seq > self._mask:
            return False
        at = packet.seq & self._mask
        held = self._ring[at]
        if held is not None and held.seq == packet.seq:
            return False
        self._ring[at] = packet
        return True

    def get(self, seq: int) -> Packet | None:
        """The packet with this number, if it is still here."""
        held = self._ring[seq & self._mask]
        return held if held is not None and held.seq == seq else None

    def clear(self) -> None:
        """Forget everything."""
        self._ring = [None] * len(self._ring)
