"""The DTLS handshake and the SRTP calls: the one place that knows aiortc's and pylibsrtp's insides.

Everything private lives here: loading parts of aiortc without the package's own `__init__` (which imports video
codecs), the few underscored names of RTCDtlsTransport and pylibsrtp, and the bare libsrtp functions. On a version that
was not tried it refuses to start and names both versions. Other modules use the names below and no other way in.

Media never passes aiortc's pump: once the handshake is done only the two SRTP contexts are taken from it, and packets
are protected in place in two fixed buffers. There is one pair for the whole process, because nothing between filling a
buffer and sending it awaits.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pylibsrtp._binding import ffi, lib

KNOWN_VERSIONS = {"aiortc": "1.16.", "pylibsrtp": "1.0.", "aioice": "0.13."}
PARTS = "aiortc_without_codecs"  # a second name for aiortc's folder; the package `aiortc` itself stays untouched
# Waiting for the handshake, or for the fingerprint before it; more are dropped, the browser repeats them
HANDSHAKE_DATAGRAMS = 32
BUFFER_BYTES = 2048  # a longer datagram arrives cut, fails its authentication and is dropped

log = logging.getLogger(__name__)


class UnknownVersion(RuntimeError):
    """A media library has a version whose insides were not tried."""


def check_versions(known: dict[str, str] = KNOWN_VERSIONS) -> None:
    """Raise UnknownVersion naming the installed and the known version, unless all libraries are ones that were
    tried.
    """
    for name, wanted in known.items():
        installed = version(name)
        if not installed.startswith(wanted):
            raise UnknownVersion(f"{name} {installed} is installed, but media works with {name} {wanted}* only.")


def _load(name: str) -> ModuleType:
    """One module of aiortc, under PARTS, so that neither its package `__init__` nor a codec is imported."""
    if PARTS not in sys.modules:
        spec = importlib.util.find_spec("aiortc")
        assert spec is not None and spec.origin is not None
        package = ModuleType(PARTS)
        package.__path__ = [str(Path(spec.origin).parent)]
        sys.modules[PARTS] = package
    # aiortc.rtp names one class of the codec library in an annotation and uses nothing of it.
    stand_in = None
    if "av" not in sys.modules:
        stand_in = ModuleType("av")
        stand_in.AudioFrame = object  # type: ignore[attr-defined]
        sys.modules["av"] = stand_in
    try:
        return importlib.import_module(f"{PARTS}.{name}")
    finally:
        if stand_in is not None and sys.modules.get("av") is stand_in:
            del sys.modules["av"]


check_versions()
if TYPE_CHECKING:
    from aiortc import rtcdtlstransport, rtp, sdp
else:
    rtp = _load("rtp")
    rtcdtlstransport = _load("rtcdtlstransport")
    _load("rtcdatachannel")  # before what sdp imports: these two import each other and only this order works
    sdp = _load("sdp")

__all__ = ["Certificate", "Fingerprint", "Handshake", "check_versions", "rtp", "sdp"]

# --- SRTP, in place -------------------------------------------------------------------------------
IN, OUT = ffi.new("char[]", BUFFER_BYTES), ffi.new("char[]", BUFFER_BYTES)
IN_VIEW, OUT_VIEW = memoryview(ffi.buffer(IN)), memoryview(ffi.buffer(OUT))
USUAL_TAG_BYTES = 16  # that protection adds to RTP with AES-GCM, which browsers choose
LENGTH = ffi.new("int *")  # in: bytes in the buffer; out: bytes after the call
# Each takes (context, buffer, LENGTH) and returns 0 when it worked (libsrtp's srtp_err_status_ok).
protect: Callable[[Any, Any, Any], int] = lib.srtp_protect
unprotect: Callable[[Any, Any, Any], int] = lib.srtp_unprotect
protect_rtcp: Callable[[Any, Any, Any], int] = lib.srtp_protect_rtcp
unprotect_rtcp: Callable[[Any, Any, Any], int] = lib.srtp_unprotect_rtcp


def c_memory(kind: str, count: int) -> tuple[Any, memoryview]:
    """Memory of so many items of a C array type, as libsrtp takes it and as bytes to read and write; `+` moves in it by
    items.
    """
    made = ffi.new(kind, count)
    return made, memoryview(ffi.buffer(made))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The digest of a peer's certificate as its session description states it."""

    algorithm: str
    value: str


FINGERPRINT_ALGORITHMS = frozenset(rtcdtlstransport.X509_DIGEST_ALGORITHMS)


class Certificate:
    """This process's certificate; one is shared by all connections."""

    def __init__(self) -> None:
        self.inner = rtcdtlstransport.RTCCertificate.generateCertificate()
        self.sha256 = next(f.value for f in self.inner.getFingerprints() if f.algorithm == "sha-256")


class Handshake:
    """One DTLS association: datagrams in, datagrams out, then two SRTP contexts `tx` and `rx`.

    It plays the ICE transport to RTCDtlsTransport (`role`, `_recv`, `_send`). Datagrams fed before `start` wait, at
    most HANDSHAKE_DATAGRAMS, because a browser begins before its answer has reached us (RFC 8842, section 5.4).
    `changed` is called with "connected", "failed" or "closed"; the peer's certificate has been compared with the
    fingerprint before "connected".
    """

    role = "controlled"

    def __init__(self, certificate: Certificate, send: Callable[[bytes], None], changed: Callable[[str], None]) -> None:
        self.tx: Any = None
        self.rx: Any = None
        self.started = False
        self.closed = False
        self._ended = False
        self._send_now, self._changed = send, changed
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(HANDSHAKE_DATAGRAMS)
        self._dtls = rtcdtlstransport.RTCDtlsTransport(self, [certificate.inner])  # type: ignore[arg-type]
        self._dtls.on("statechange", self._state_changed)
        self._tasks: set[asyncio.Task[None]] = set()

    def feed(self, datagram: bytes) -> bool:
        """Hand in one received DTLS datagram; False when the queue is full and it was dropped."""
        try:
            self._queue.put_nowait(datagram)
        except asyncio.QueueFull:
            return False
        return True

    def start(self, fingerprints: Sequence[Fingerprint], *, server: bool) -> None:
        """Begin, or go on with what was fed already. A second call changes nothing (an ICE restart keeps the
        association).
        """
        if self.started or self.closed:
            return
        self.started = True
        self._dtls._set_role("server" if server else "client")
        remote = rtcdtlstransport.RTCDtlsParameters(
            fingerprints=[rtcdtlstransport.RTCDtlsFingerprint(f.algorithm, f.value) for f in fingerprints],
            role="client" if server else "server",
        )
        self._spawn(self._dtls.start(remote)).add_done_callback(self._start_ended)

    def close(self) -> None:
        """Forget the keys at once and tell the peer by close_notify; may be called twice."""
        if self.closed:
            return
        self.closed, self.tx, self.rx = True, None, None
        for task in self._tasks:
            task.cancel()
        if self.started:
            self._spawn(self._dtls.stop()).add_done_callback(self._stopped)

    async def _recv(self) -> bytes:
        datagram = None if self._ended else await self._queue.get()
        if datagram is None:
            raise ConnectionError
        return datagram

    async def _send(self, data: bytes) -> None:
        self._send_now(data)

    def _state_changed(self) -> None:
        state = self._dtls.state
        if self.closed:
            return
        if state == "connected":
            self.tx, self.rx = self._dtls._tx_srtp._srtp[0], self._dtls._rx_srtp._srtp[0]
        if state in ("connected", "failed", "closed"):
            self._changed(state)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task  # type: ignore[no-any-return]

    def _stopped(self, _: asyncio.Task[None]) -> None:
        """A cancellation may have been lost in aiortc's wait_for (Python 3.11); who still waits finds the end here."""
        self._ended = True
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    def _start_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self.closed:
            log.warning("DTLS handshake ended by %r", error)
            self._changed("failed")
