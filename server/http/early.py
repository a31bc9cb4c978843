"""Requests answered where their bytes come in, before the web server makes a request of them.

Only between two requests, and only what an answerer takes. To know that a connection is between two, the heads and
bodies passed on are followed here as well, by the plainest reading; whatever is not of that form ends it for good.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from aiohttp import web

# Answers a whole request and says True, or has done nothing and says False.
Early = Callable[[asyncio.Transport, bytes], bool]
EARLY: web.AppKey[Early] = web.AppKey("EARLY", Callable)  # type: ignore[arg-type]
MOST_HEAD_BYTES = 8_000  # the web server allows as much in one line
HEAD_END = b"\r\n\r\n"
_HEAD = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)+\r\n")
_UNUSUAL = re.compile(rb"\r\n(?:transfer-encoding|upgrade|connection: *close|content-length: *[^0-9 ])", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,15}) *\r\n", re.IGNORECASE)


class Following:
    """Where a connection stands in what was passed on of it."""

    __slots__ = ("_is_lost", "_owed_bytes")

    def __init__(self) -> None:
        self._owed_bytes, self._is_lost = 0, False

    @property
    def is_between(self) -> bool:
        """Whether the next byte begins a request, beyond doubt."""
        return self._owed_bytes == 0 and not self._is_lost

    def passed_on(self, data: bytes) -> None:
        if self._is_lost:
            return
        if self._owed_bytes == 0:
            end = data.find(HEAD_END, 0, MOST_HEAD_BYTES) + len(HEAD_END)
            owed = _body_bytes(data[:end]) if end >= len(HEAD_END) else None
            if owed is None:
                self._is_lost = True
                return
            self._owed_bytes = owed + end
        self._owed_bytes -= len(data)
        self._is_lost = self._owed_bytes < 0  # a second request came along


def _body_bytes(head: bytes) -> int | None:
    """How long the body after this head is; None when it takes more to say."""
    if _HEAD.fullmatch(head) is None or _UNUSUAL.search(head) is not None:
        return None
    lengths = _LENGTH.findall(head)
    if len(lengths) != len(re.findall(rb"\r\ncontent-length", head, re.IGNORECASE)) or len(lengths) > 1:
        return None
    return int(lengths[0]) if lengths else 0
