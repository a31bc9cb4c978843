"""Whose page may connect: asked of a policy, because REST and uploads follow the same one.

The default knows one rule: a page may call the host it came from, and whoever is no page at all may call too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from aiohttp import web

from signaling.transport.front import Caller


class OriginPolicy(Protocol):
    """The rule of one deployment: listed origins, trusted proxies."""

    def may_call(self, request: web.BaseRequest | Caller, origin: str | None) -> bool: ...
    def headers_for(self, origin: str | None) -> Mapping[str, str]: ...
    def preflight_headers(self, origin: str) -> Mapping[str, str]: ...
    def client_address(self, request: web.BaseRequest | Caller) -> str: ...


class SameOrigin:
    """Only pages of the host and scheme the request itself names; no proxy is trusted."""

    def may_call(self, request: web.BaseRequest | Caller, origin: str | None) -> bool:
        return origin is None or origin == f"{request.scheme}://{request.host}"

    def headers_for(self, origin: str | None) -> Mapping[str, str]:
        return {}

    def preflight_headers(self, origin: str) -> Mapping[str, str]:
        return {}

    def client_address(self, request: web.BaseRequest | Caller) -> str:
        return request.remote or "unknown"
