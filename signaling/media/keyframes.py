"""Is this packet the beginning of a keyframe? Told from the payload's first bytes, without decoding.

VP8: RFC 7741, section 4.2 and 4.3. H.264: RFC 6184, section 5.2 and 5.8; a keyframe begins with its parameter sets, so
the packet with the sequence parameter set counts, and an IDR slice alone (whose sets came earlier) does too.
"""

from __future__ import annotations

VP8_START = b"\x9d\x01\x2a"
IDR, SPS, STAP_A, FU_A = 5, 7, 24, 28


def vp8_begins_keyframe(payload: bytes) -> bool:
    """True for the first packet of a VP8 keyframe."""
    at = _vp8_frame_at(payload)
    return 0 < at < len(payload) and not payload[at] & 0x01  # P bit of the frame header: 0 is a keyframe


def vp8_width(payload: bytes) -> int | None:
    """How many pixels a picture is across, from the first packet of its keyframe (RFC 6386, section 9.1)."""
    at = _vp8_frame_at(payload)
    if at and payload[at + 3 : at + 6] == VP8_START and len(payload) >= at + 8:
        return int.from_bytes(payload[at + 6 : at + 8], "little") & 0x3FFF
    return None


def _vp8_frame_at(payload: bytes) -> int:
    """Where the frame header begins in the first packet of a frame; 0 in any other."""
    if len(payload) < 3 or not payload[0] & 0x10 or payload[0] & 0x07:  # S bit, partition 0
        return 0
    at = 1
    if payload[0] & 0x80:  # X: extended control bits
        extended = payload[1]
        at = 2
        if extended & 0x80:  # I: picture id of one or two bytes
            at += 2 if payload[at] & 0x80 else 1
        at += bool(extended & 0x40) + bool(extended & 0x30)  # L: TL0PICIDX; T or K: one byte
    return at


def h264_begins_keyframe(payload: bytes) -> bool:
    """True for a packet with a sequence parameter set, or the first packet of an IDR slice."""
    if len(payload) < 2:
        return False
    kind = payload[0] & 0x1F
    if kind == STAP_A:
        at = 1
        while at + 2 < len(payload):
            if payload[at + 2] & 0x1F in (SPS, IDR):
                return True
            at += 2 + int.from_bytes(payload[at : at + 2], "big")
        return False
    if kind == FU_A:
        return bool(payload[1] & 0x80) and payload[1] & 0x1F in (SPS, IDR)
    return kind in (SPS, IDR)


BEGINS_KEYFRAME = {"VP8": vp8_begins_keyframe, "H264": h264_begins_keyframe}
