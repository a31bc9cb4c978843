"""The wire between a web process and a media worker: JSON objects behind a length, on a stream socket. Both ends use
this file.

Bounded everywhere: a frame, what waits to be written, and the time a peer may take to introduce itself. Each end proves
that it knows the shared secret by an HMAC over the other's challenge, so that neither a stranger's client nor a
stranger's server is spoken with; on a Unix socket the file's mode is the protection and the secret may be absent.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

FRAME_BYTES = 256 * 1024  # a longer frame ends the connection: nothing we say is longer
WAITING_BYTES = 4 * 1024 * 1024  # a reader this far behind is cut; it connects again and starts over
INTRODUCTION_SECONDS = 5.0
VERSION = 1
LENGTH = struct.Struct("!I")

log = logging.getLogger(__name__)


class FrameTooLarge(ValueError):
    """A message that would not fit in a frame."""


def proof(secret: str, who: str, challenge: str) -> str:
    """That we know the secret, bound to the role and to the other's challenge, so that it cannot be reflected."""
    return hmac.new(secret.encode(), f"{who}:{challenge}".encode(), hashlib.sha256).hexdigest()


def is_proof(given: object, secret: str, who: str, challenge: str) -> bool:
    """Compare a given proof in constant time."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), proof(secret, who, challenge).encode())


def pack(message: Mapping[str, Any]) -> bytes:
    """One frame. Raises FrameTooLarge."""
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > FRAME_BYTES:
        raise FrameTooLarge(f"A message of {len(body)} bytes does not fit in a frame of {FRAME_BYTES}.")
    return LENGTH.pack(len(body)) + body


class Carrier(asyncio.Protocol):
    """One end of a connection. `received` gets each object in order; `lost` is called once, however it ended."""

    def __init__(self, received: Callable[[Carrier, dict[str, Any]], None], lost: Callable[[Carrier], None]) -> None:
        self._received, self._lost = received, lost
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self.is_open = False
        self.connected: Callable[[Carrier], None] | None = None

    def send(self, message: Mapping[str, Any]) -> bool:
        """Send one object; False when the connection is gone. Raises FrameTooLarge."""
        frame = pack(message)
        transport = self._transport
        if transport is None or not self.is_open:
            return False
        transport.write(frame)
        if transport.get_write_buffer_size() > WAITING_BYTES:
            log.warning("the other end of the media carrier does not read; cutting it")
            self.cut()
            return False
        return True

    def cut(self) -> None:
        """End the connection without waiting for anything; may be called twice."""
        if self._transport is not None and self.is_open:
            self.is_open = False
            self._transport.abort()

    # --- asyncio.Protocol -------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bytes may be written from now on."""
        self._transport, self.is_open = cast(asyncio.Transport, transport), True
        if self.connected is not None:
            self.connected(self)

    def data_received(self, data: bytes) -> None:
        """Cut what has come into frames."""
        self._buffer += data
        at = 0
        while self.is_open and len(self._buffer) - at >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._buffer, at)
            if size > FRAME_BYTES:
                log.warning("a frame of %d bytes on the media carrier; cutting it", size)
                self.cut()
                return
            end = at + LENGTH.size + size
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[at + LENGTH.size : end])
            at = end
            try:
                message = json.loads(body)
            except ValueError:
                message = None
            if not isinstance(message, dict):
                log.warning("a frame that is not a JSON object on the media carrier; cutting it")
                self.cut()
                return
            self._received(self, message)
        del self._buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end is gone, or we cut it."""
        self.is_open = False
        self._lost(self)


def addresses_in(given: str) -> list[str]:
    """One or several control addresses, with commas; a comma inside a path is none."""
    return [part.strip().rstrip(",") for part in re.split(r",(?=\s*(?:unix|tcp):)", given) if part.strip()]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a carrier listens: a Unix socket's path, or a TCP host and port."""

    path: str | None
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, address: str) -> Endpoint:
        """From `unix:/path` or `tcp:host:port`. Raises ValueError."""
        scheme, _, rest = address.partition(":")
        if scheme == "unix" and rest:
            return cls(rest)
        host, _, port = rest.rpartition(":")
        if scheme == "tcp" and host and port.isdigit():
            return cls(None, host.strip("[]"), int(port))
        raise ValueError(f"A control address is unix:/path or tcp:host:port, not {address!r}.")

    async def connect(self, carrier: Carrier) -> None:
        """Open the client's end. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self.path is not None:
            await loop.create_unix_connection(lambda: carrier, self.path)
        else:
            await loop.create_connection(lambda: carrier, self.host, self.port)

    async def listen(self, factory: Callable[[], Carrier]) -> asyncio.Server:
        """Open the worker's end. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self.path is not None:
            return await loop.create_unix_server(factory, self.path)
        return await loop.create_server(factory, self.host, self.port)
