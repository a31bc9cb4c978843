"""Header extensions of the packet in IN_VIEW (RFC 8285): its m-line and layer, its number in the connection,
and how loud it is."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from signaling.media import sdp
from signaling.media.dtls import IN_VIEW, rtp

ONE_BYTE = 0xBEDE  # the form every browser writes (section 4.2)
read_number = struct.Struct("!H").unpack_from


def two_bytes(identifier: int, at: int, end: int) -> int | None:
    """The value of a two-byte extension in the block from `at` to `end`; None when it is not there. Called for every
    packet, so it makes no table.
    """
    found = _find(identifier, at, end)
    return int(read_number(IN_VIEW, found)[0]) if 0 < found < end - 1 else None


def one_byte(identifier: int, at: int, end: int) -> int | None:
    """The same of one byte."""
    found = _find(identifier, at, end)
    return IN_VIEW[found] if 0 < found < end else None


def _find(identifier: int, at: int, end: int) -> int:
    if read_number(IN_VIEW, at)[0] != ONE_BYTE:
        return 0
    at += 4
    while at + 1 < end:
        first = IN_VIEW[at]
        if first >> 4 == identifier:
            return at + 1
        at += 2 + (first & 0x0F) if first else 1
    return 0


class Names(NamedTuple):
    """What a packet says of itself: its m-line, its layer, and whether it repairs one."""

    mid: str
    rid: str
    is_repair: bool


def names_in(size: int, lines: Mapping[str, sdp.MediaLine]) -> Names | None:
    """The packet's mid and rid, by each line's own extension numbers (RFC 8843, section 9.2; RFC 8852, section 3)."""
    first = IN_VIEW[0]
    start = 12 + 4 * (first & 0x0F)
    if not first & 0x10 or start + 4 > size:
        return None
    profile, words = struct.unpack_from("!HH", IN_VIEW, start)
    try:
        found = dict(rtp.unpack_header_extensions(profile, bytes(IN_VIEW[start + 4 : start + 4 + 4 * words])))
        for mid, line in lines.items():
            told = {
                uri: found[number].decode("ascii")
                for uri in (sdp.MID_EXTENSION, sdp.RID_EXTENSION, sdp.REPAIRED_RID_EXTENSION)
                if (number := line.extensions.get(uri)) in found
            }
            if told.get(sdp.MID_EXTENSION) == mid:
                repaired = told.get(sdp.REPAIRED_RID_EXTENSION, "")
                return Names(mid, repaired or told.get(sdp.RID_EXTENSION, ""), bool(repaired))
    except (ValueError, struct.error):
        return None
    return None
