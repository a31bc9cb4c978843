"""A JSON client for tests: `(await api("bo").patch("/live-sessions/1/end")).status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response; `json` is None when the body is not JSON."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    json: Any

    @property
    def code(self) -> str:
        """The problem's stable word, empty for a success."""
        return str(self.json["code"]) if isinstance(self.json, dict) and "code" in self.json else ""


class Api:
    """One person's calls (or nobody's, without a token); it keeps no cookies."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: str | None) -> None:
        self._session, self.base, self.token = session, base.rstrip("/"), token

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.call("POST", path, body, **options)

    async def put(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.call("PUT", path, body, **options)

    async def patch(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.call("PATCH", path, body, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.call("DELETE", path, **options)

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Answer:
        """Any call; `body` goes as JSON, `options` to aiohttp (`data=` for other bodies)."""
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None:
            options["json"] = body
        async with self._session.request(
            method, self.base + path, headers=sent, allow_redirects=False, **options
        ) as response:
            raw = await response.read()
            is_json = response.content_type in ("application/json", "application/problem+json") and raw
            return Answer(
                response.status,
                response.headers.copy(),
                raw,
                await response.json(content_type=None) if is_json else None,
            )
