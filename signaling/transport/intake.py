"""From what a client sent to Engine.IO packets (Engine.IO v4 "Packet encoding"); anything else is `Malformed`."""

from __future__ import annotations

import asyncio
import base64
import binascii

from aiohttp import web

from signaling.transport.wire import RECORD_SEPARATOR, Part

CLOSE, PONG, MESSAGE = "1", "3", "4"
KNOWN = frozenset("0123456")


class Malformed(Exception):
    """Bytes that are not the protocol's; the connection is closed at once and one line is logged."""


def split(data: Part) -> tuple[str, Part]:
    """One packet from a WebSocket frame: its type and its payload."""
    if isinstance(data, bytes):
        return MESSAGE, data
    if data[:1] not in KNOWN:  # an empty frame too
        raise Malformed("unknown Engine.IO packet type" if data else "empty packet")
    return data[0], data[1:]


def packets_of(body: str, most: int) -> list[tuple[str, Part]]:
    """All packets of a polling body, or none: `Malformed` above `most` or if any is not a packet."""
    if body.count(RECORD_SEPARATOR) >= most:
        raise Malformed(f"At most {most} packets fit in one request")
    return [_polled(packet) for packet in body.split(RECORD_SEPARATOR)]


def _polled(packet: str) -> tuple[str, Part]:
    if packet[:1] != "b":
        return split(packet)
    try:
        return MESSAGE, base64.b64decode(packet[1:], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("not base64") from error


async def read_post(request: web.Request, most_bytes: int, seconds: float) -> str:
    """The body as text; `Malformed` above `most_bytes`, if not UTF-8, or after `seconds`."""
    if request.content_length is not None and request.content_length > most_bytes:
        raise Malformed(f"At most {most_bytes} bytes fit in one request")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most_bytes:
                    raise Malformed(f"At most {most_bytes} bytes fit in one request")
        return body.decode()
    except TimeoutError as error:
        raise Malformed("the body did not arrive in time") from error
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8") from error
