"""A message made ready once for every transport: WebSocket frame bytes, and the packets polling carries.

Server frames are not masked (RFC 6455 5.1) and compression is off, so the same bytes serve every client.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

TEXT, BINARY = 0x81, 0x82  # FIN and opcode (RFC 6455 5.2)
RECORD_SEPARATOR = "\x1e"  # between packets of one polling body (Engine.IO v4)

Part = str | bytes
_SHORT, _MIDDLE, _LONG = (struct.Struct(fields).pack for fields in ("!BB", "!BBH", "!BBQ"))


class Wire:
    """Engine.IO packets of one message: `frame` for WebSocket, `parts` (type digit included) for polling."""

    __slots__ = ("_parts", "frame")

    def __init__(self, parts: tuple[Part, ...] | None, frame: bytes) -> None:
        """Without `parts` it is one text packet, taken out of `frame` for whoever still polls."""
        self._parts, self.frame = parts, frame

    @property
    def parts(self) -> tuple[Part, ...]:
        if self._parts is None:
            self._parts = (self.frame[{126: 4, 127: 10}.get(self.frame[1], 2) :].decode(),)
        return self._parts


@dataclass(frozen=True, slots=True)
class Ready:
    """JSON that was made before, for many: put as it is where this stands as a value of an event's one object."""

    pieces: tuple[bytes, ...]  # UTF-8, to be read one behind the other

    @classmethod
    def of(cls, json: str) -> Ready:
        return cls((json.encode(),))


def framed(part: Part) -> bytes:
    """One unmasked WebSocket frame around `part` (RFC 6455 5.2)."""
    opcode, payload = (TEXT, part.encode()) if isinstance(part, str) else (BINARY, part)
    return _head(opcode, len(payload)) + payload


def text_frame(text: str) -> bytes:
    """`framed` of a text, by fewer steps for most lengths."""
    payload = text.encode()
    size = len(payload)
    return (_MIDDLE(TEXT, 126, size) if 126 <= size < 65_536 else _head(TEXT, size)) + payload


def _head(opcode: int, size: int) -> bytes:
    if size < 126:
        return _SHORT(opcode, size)
    if size < 65_536:
        return _MIDDLE(opcode, 126, size)
    return _LONG(opcode, 127, size)


def wire_of(*parts: Part) -> Wire:
    """A wire of complete Engine.IO packets; attachments follow their header in the same bytes."""
    return Wire(parts, b"".join(framed(part) for part in parts) if len(parts) > 1 else framed(parts[0]))


def polling_body(parts: Iterable[Part]) -> bytes:
    """The body of a poll's answer: packets joined by the record separator, binary as base64 behind a `b`."""
    return RECORD_SEPARATOR.join(
        part if isinstance(part, str) else "b" + base64.b64encode(part).decode() for part in parts
    ).encode("utf-8", "surrogatepass")


def dumps(value: Any) -> str:
    """Compact JSON; raises ValueError for what browsers cannot parse (NaN, infinities, a circle, absurd nesting),
    TypeError for other types.
    """
    if _encode is None:
        return _dumps_safely(value)
    try:
        chunks = _encode(value, 0)
        text: str = chunks[0] if len(chunks) == 1 else "".join(chunks)
    except RecursionError:  # a circle, perhaps: told apart there
        return _dumps_safely(value)
    return text if text.isascii() or _is_unicode(text) else _ESCAPED.encode(value)


def _dumps_safely(value: Any) -> str:
    try:
        text = _PLAIN.encode(value)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return text if text.isascii() or _is_unicode(text) else _ESCAPED.encode(value)


def _is_unicode(text: str) -> bool:
    """False with half a surrogate pair in it: legal in a JSON escape, not in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def dumps_ready(value: Any) -> str:
    """What `text_wire` makes of `value` in its list."""
    if not _holds_ready(value):
        return dumps(value)
    pieces: list[bytes] = []
    _put(pieces, value)
    return b"".join(pieces).decode()


def dumps_list(values: Sequence[Any]) -> str:
    """The JSON list that `text_wire` makes of `values`."""
    return f"[{','.join(map(dumps_ready, values))}]"


def object_frame(before: str, value: Any, after: str) -> bytes:
    """`text_frame` of a text that holds `value` as JSON, by as few steps as there are: every broadcast begins here.

    Between two broadcasts a processor does other things, and each further function is one to be fetched again. So the
    library's C encoder is asked alone where it can.
    """
    try:
        chunks = _encode(value, 0)
        payload = f"{before}{chunks[0] if len(chunks) == 1 else ''.join(chunks)}{after}".encode()
    except (TypeError, ValueError, RecursionError):  # no such encoder; what is `Ready`, half a pair, or not JSON
        return text_frame(f"{before}{dumps_ready(value)}{after}")
    size = len(payload)
    return (_MIDDLE(TEXT, 126, size) if 126 <= size < 65_536 else _head(TEXT, size)) + payload


def text_wire(header: str, values: Sequence[Any]) -> Wire:
    """A text packet: `header`, then the values as a JSON list; what is `Ready` in an object of them is copied once."""
    if not any(map(_holds_ready, values)):
        return Wire(None, text_frame(header + dumps(values)))
    pieces = [header.encode(), b"["]
    for index, value in enumerate(values):
        if index:
            pieces.append(b",")
        if _holds_ready(value):
            _put(pieces, value)
        else:
            pieces.append(dumps(value).encode())
    pieces.append(b"]")
    return Wire(None, b"".join([_head(TEXT, sizes(pieces)), *pieces]))


def _holds_ready(value: Any) -> bool:
    if isinstance(value, dict):
        for part in value.values():
            if type(part) is Ready:
                return True
    return False


def _put(pieces: list[bytes], value: Mapping[str, Any]) -> None:
    """An object: what is `Ready` in it as it is, its other neighbors encoded together."""
    plain: dict[str, Any] = {}
    before = "{"
    for name, part in value.items():
        if type(part) is not Ready:
            plain[name] = part
            continue
        if plain:
            before = f"{before}{dumps(plain)[1:-1]},"
            plain = {}
        pieces.append(f"{before}{dumps(name)}:".encode())
        pieces.extend(part.pieces)
        before = ","
    pieces.append(f"{before}{dumps(plain)[1:-1]}}}".encode() if plain else b"}")


def loads(text: str) -> Any:
    """JSON from a client; raises ValueError for malformed text, NaN, infinities and absurd nesting."""
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def sizes(parts: Sequence[Part]) -> int:
    """How many bytes (characters, for text) these packets hold."""
    return sum(map(len, parts))


def _no_constants(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_PLAIN = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_ESCAPED = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False)
# What `_PLAIN` makes for each text anew, made once, and without its memory of circles: they end in `_dumps_safely`.
_make = getattr(json.encoder, "c_make_encoder", None)
_encode: Any = _make and _make(
    None, _PLAIN.default, json.encoder.encode_basestring, None, ":", ",", False, False, False
)
_DECODER = json.JSONDecoder(parse_constant=_no_constants)
