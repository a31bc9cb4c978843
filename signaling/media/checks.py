"""Connectivity checks: STUN binding requests read, verified and answered (RFC 8489, sections 5, 14; RFC 8445, 7.3).

Every browser asks every few seconds on each of its connections, and strangers may ask as often as they like, so a check
is read in one pass over its attributes without making objects of them, and nothing is computed before its user name is
known.
"""

from __future__ import annotations

import binascii
import hmac
import ipaddress
import struct
from typing import NamedTuple

COOKIE = 0x2112A442  # section 5
REQUEST, RESPONSE = 0x0001, 0x0101
USERNAME, INTEGRITY, XOR_MAPPED_ADDRESS, USE_CANDIDATE, FINGERPRINT = 0x0006, 0x0008, 0x0020, 0x0025, 0x8028
FINGERPRINT_XOR = 0x5354554E  # section 14.7
HEADER_BYTES, INTEGRITY_BYTES, FINGERPRINT_BYTES = 20, 24, 8
LARGEST_BYTES = 548  # section 6.1, for a path of unknown size; browsers send about 110
read_header, read_attribute = struct.Struct("!HHI").unpack_from, struct.Struct("!HH").unpack_from


class Check(NamedTuple):
    """A binding request: our half of its user name, its transaction, does it nominate, and where its integrity is."""

    ufrag: str
    transaction: bytes
    nominates: bool
    integrity_at: int


def read(datagram: bytes | memoryview) -> Check | None:
    """The check in a datagram; None for anything else, also for one without a user name or without integrity.

    What follows the integrity is not protected by it and is not looked at.
    """
    size = len(datagram)
    if not HEADER_BYTES + INTEGRITY_BYTES <= size <= LARGEST_BYTES:
        return None
    kind, length, cookie = read_header(datagram)
    if kind != REQUEST or cookie != COOKIE or length != size - HEADER_BYTES:
        return None
    at, ufrag, nominates = HEADER_BYTES, "", False
    while at + 4 <= size:
        attribute, length = read_attribute(datagram, at)
        if at + 4 + length > size:
            return None
        if attribute == USERNAME:
            ours = bytes(datagram[at + 4 : at + 4 + length]).partition(b":")[0]
            if not ours.isascii():
                return None
            ufrag = ours.decode()
        elif attribute == USE_CANDIDATE:
            nominates = True
        elif attribute == INTEGRITY:
            if not ufrag or length != INTEGRITY_BYTES - 4:
                return None
            return Check(ufrag, bytes(datagram[8:HEADER_BYTES]), nominates, at)
        at += 4 + length + (-length & 3)
    return None


def is_authentic(datagram: bytes | memoryview, check: Check, password: bytes) -> bool:
    """Was it made by somebody who knows the password?"""
    end = check.integrity_at
    covered = struct.pack("!HH", REQUEST, end + INTEGRITY_BYTES - HEADER_BYTES) + bytes(datagram[4:end])
    given = bytes(datagram[end + 4 : end + INTEGRITY_BYTES])
    return hmac.compare_digest(hmac.digest(password, covered, "sha1"), given)


def answer(check: Check, host: str, port: int, password: bytes) -> bytes:
    """The success response, telling the asker its own address."""
    number = ipaddress.ip_address(host.split("%")[0])
    mask = struct.pack("!I", COOKIE) + check.transaction
    hidden = bytes(a ^ b for a, b in zip(number.packed, mask, strict=False))
    family = 1 if number.version == 4 else 2
    mapped = struct.pack("!HHBBH", XOR_MAPPED_ADDRESS, 4 + len(hidden), 0, family, port ^ COOKIE >> 16) + hidden

    def head(length: int) -> bytes:
        return struct.pack("!HHI", RESPONSE, length, COOKIE) + check.transaction

    length = len(mapped) + INTEGRITY_BYTES
    digest = hmac.digest(password, head(length) + mapped, "sha1")
    body = mapped + struct.pack("!HH", INTEGRITY, len(digest)) + digest
    length += FINGERPRINT_BYTES
    crc = binascii.crc32(head(length) + body) ^ FINGERPRINT_XOR
    return head(length) + body + struct.pack("!HHI", FINGERPRINT, 4, crc)
