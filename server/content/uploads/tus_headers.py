"""What tus 1.0 says in headers, read and judged; pure (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from multidict import CIMultiDictProxy

from server.errors import Invalid

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
ALGORITHMS = ("sha256", "sha1", "sha512", "md5")
_COUNT = re.compile(r"0*([0-9]+)", re.ASCII)
_LONGEST_COUNT = 18  # digits; what has more is larger than anything here, and is judged as such
_KEY = re.compile(r"[!-+\--~]{1,64}", re.ASCII)  # visible ASCII without the comma
MOST_PAIRS = 32


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request add up to."""

    algorithm: str
    digest: bytes

    def hashing(self) -> Any:
        """A fresh hashlib object."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def only(headers: CIMultiDictProxy[str], name: str) -> str | None:
    """The header's value; None when it was not sent. Raises Invalid for two: nobody knows which is meant."""
    found = headers.getall(name, [])
    if len(found) > 1:
        raise Invalid(f"{name} was sent more than once.")
    return found[0] if found else None


def count(name: str, value: str | None) -> int:
    """A header that counts bytes. Raises Invalid when it is missing or no number."""
    found = _COUNT.fullmatch(value) if value is not None else None
    if found is None:
        raise Invalid(f"{name} needs a number of bytes.")
    return int(found[1]) if len(found[1]) <= _LONGEST_COUNT else 10**_LONGEST_COUNT


def metadata(header: str) -> dict[str, str]:
    """The pairs of Upload-Metadata: keys, and values that are UTF-8 in Base64. Raises Invalid, naming the key."""
    found: dict[str, str] = {}
    pairs = [pair.strip(" ") for pair in header.split(",")] if header else []
    if len(pairs) > MOST_PAIRS:
        raise Invalid(f"Upload-Metadata has more than {MOST_PAIRS} values.")
    for pair in pairs:
        key, _, encoded = pair.partition(" ")
        if not _KEY.fullmatch(key):
            raise Invalid("Upload-Metadata needs pairs of a key and a Base64 value, separated by commas.")
        if key in found:
            raise Invalid(errors=[{"pointer": f"/{key}", "detail": "was sent twice"}])
        try:
            found[key] = base64.b64decode(encoded.encode("ascii"), validate=True).decode()
        except (binascii.Error, UnicodeError) as error:
            raise Invalid(errors=[{"pointer": f"/{key}", "detail": "is not UTF-8 in Base64"}]) from error
    return found


def checksum(header: str | None) -> Checksum | None:
    """Upload-Checksum. Raises Invalid for an algorithm that is not offered or a digest of the wrong length."""
    if header is None:
        return None
    algorithm, _, encoded = header.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise Invalid(f"Upload-Checksum takes one of {', '.join(ALGORITHMS)}.")
    try:
        digest = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeError) as error:
        raise Invalid("Upload-Checksum is not Base64.") from error
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise Invalid(f"Upload-Checksum is too short or too long for {algorithm}.")
    return Checksum(algorithm, digest)


def http_date(moment: datetime) -> str:
    """As in Upload-Expires (RFC 9110, section 5.6.7)."""
    return format_datetime(moment, usegmt=True)
