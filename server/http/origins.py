"""Whose page is calling: our own, a listed one, or a stranger's; behind proxies too.

One answer for REST CORS, uploads and the socket alike. Forwarded headers count only when the peer is a trusted proxy.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from server.settings import Settings

EXPOSED = (
    "Location, Link, Retry-After, Content-Range, ETag, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, "
    "Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, Upload-Expires, Upload-Metadata"
)
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Range, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, "
    "Tus-Checksum-Algorithm, Upload-Length, Upload-Offset, Upload-Metadata, Upload-Checksum, Upload-Expires, "
    "Upload-Defer-Length, X-HTTP-Method-Override, Idempotency-Key, If-Match, If-None-Match"
)
# What a name or address of a machine is made of; the Host header is anybody's text, and goes into headers of ours.
HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class Asked(Protocol):
    """What is looked at of a request."""

    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def transport(self) -> asyncio.Transport | None: ...
    @property
    def remote(self) -> str | None: ...
    @property
    def scheme(self) -> str: ...
    @property
    def host(self) -> str: ...


class Origins:
    """The rule of LECTERN_ALLOWED_ORIGINS and TRUSTED_PROXIES."""

    def __init__(self, settings: Settings) -> None:
        self._listed = frozenset(settings.allowed_origins)
        self._proxies = settings.trusted_proxies
        self._public = _origin_of(settings.public_url) if settings.public_url else None

    @property
    def has_listed(self) -> bool:
        return bool(self._listed)

    def is_trusted_peer(self, request: Asked) -> bool:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        if not peer or not self._proxies:
            return False
        try:
            address = ip_address(peer[0])
        except ValueError:
            return False
        return any(address in network for network in self._proxies)

    def client_address(self, request: Asked) -> str:
        """The caller's address: the nearest hop that is not one of our proxies."""
        peer = request.remote or "unknown"
        if not self.is_trusted_peer(request):
            return peer
        hops = [h.strip() for h in request.headers.get("X-Forwarded-For", "").split(",") if h.strip()]
        for hop in reversed(hops):
            try:
                address = ip_address(hop)
            except ValueError:
                return peer
            if not any(address in network for network in self._proxies):
                return str(address)
        return peer

    def own_origin(self, request: Asked) -> str:
        """Our origin as the caller's browser sees it."""
        scheme, host = request.scheme, request.host
        if self.is_trusted_peer(request):
            scheme = request.headers.get("X-Forwarded-Proto", scheme).split(",")[0].strip()
            host = request.headers.get("X-Forwarded-Host", host).split(",")[0].strip()
        return _origin_of(f"{scheme}://{host}")

    def is_own(self, request: Asked, origin: str) -> bool:
        found = _origin_of(origin)
        return bool(found) and found in (self._public, self.own_origin(request))

    def is_listed(self, origin: str) -> bool:
        return origin in self._listed

    def may_call(self, request: Asked, origin: str | None) -> bool:
        """Whether a page of `origin` may talk to us; a request without one is no page's."""
        return origin is None or self.is_own(request, origin) or self.is_listed(origin)

    def headers_for(self, origin: str | None) -> dict[str, str]:
        """CORS headers for a listed origin; others get none."""
        if origin is None or not self.is_listed(origin):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": EXPOSED,
        }

    def preflight_headers(self, origin: str) -> dict[str, str]:
        """What a preflight from a listed origin is answered (Fetch standard, CORS protocol)."""
        return {
            **self.headers_for(origin),
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        }


def _origin_of(url: str) -> str:
    """Scheme, host and port, default ports left out; empty when it is not an http(s) origin."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(parts.hostname or ""):
        return ""
    assert parts.hostname is not None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != default else "")
