"""Header extensions of the packet in IN_VIEW (RFC 8285): its m-line, and its number in the connection."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from signaling.media import sdp
from signaling.media.dtls import IN_VIEW, rtp

ONE_BYTE = 0xBEDE  # the form every browser writes (section 4.2)
read_number = struct.Struct("!H").unpack_from


def two_bytes(identifier: int, at: int, end: int) -> int | None:
    """The value of a two-byte extension in the block from `at` to `end`; None when it is not there. Called for every
    packet, so it makes no table.
    """
    if read_number(IN_VIEW, at)[0] != ONE_BYTE:
        return None
    at += 4
    while at + 2 < end:
        first = IN_VIEW[at]
        if first >> 4 == identifier:
            return int(read_number(IN_VIEW, at + 1)[0])
        at += 2 + (first & 0x0F) if first else 1
    return None


def mid_in(size: int, lines: Mapping[str, sdp.MediaLine]) -> str | None:
    """The packet's mid, by each line's own extension number (RFC 8843, section 9.2)."""
    first = IN_VIEW[0]
    start = 12 + 4 * (first & 0x0F)
    if not first & 0x10 or start + 4 > size:
        return None
    profile, words = struct.unpack_from("!HH", IN_VIEW, start)
    try:
        found = dict(rtp.unpack_header_extensions(profile, bytes(IN_VIEW[start + 4 : start + 4 + 4 * words])))
        for mid, line in lines.items():
            number = line.extensions.get(sdp.MID_EXTENSION)
            if number in found and found[number].decode("ascii") == mid:
                return mid
    except (ValueError, struct.error):
        return None
    return None
