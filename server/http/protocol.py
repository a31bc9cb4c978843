"""One connection: what comes before the web server's requests, and what is said to bytes that are none.

Some requests are answered early (early.py). What cannot be read as HTTP is answered like all else, by a problem, 400
`malformed`: the server below us writes plain text there, and the trace of the exception into the log for each of a
stranger's bytes.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import _ErrInfo

from server.errors import Internal, LecternError, Malformed
from server.http.early import EARLY, Early, Following
from server.http.problems import problem_response

log = structlog.get_logger("http")


class Protocol(web.RequestHandler):
    """One connection's requests."""

    __slots__ = ("_body", "_early", "_following")

    def __init__(self, manager: web.Server, *, early: Early | None, **options: Any) -> None:
        super().__init__(manager, **options)
        self._early, self._following = early, Following()
        self._body: StreamReader | None = None  # of the request that came last

    def data_received(self, data: bytes) -> None:
        if self._early is not None and data:
            if self._is_idle() and self._following.is_between and self.transport is not None:
                if self._early(self.transport, data):
                    self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
                    return
            self._following.passed_on(data)
        known = len(self._messages)
        super().data_received(data)
        if len(self._messages) > known:
            message, body = self._messages[-1]
            if isinstance(message, _ErrInfo):
                self._tell_readers()
            else:
                self._body = body

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks whether to keep the way out
        """The caller sends no more. In the middle of a body that is a mistake, and whoever only shut this direction can
        still be told so; in any other case the connection ends, as it does when a caller goes away. TLS knows no half.
        """
        if self.transport is None or self.transport.get_extra_info("sslcontext") is not None:
            return False
        if self._upgraded or self._payload_parser is not None or not self._tell_readers():
            return False
        self.close()  # after the answer
        return True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what was no request, and to what no middleware saw fail; the connection ends with it.

        Raises ConnectionResetError when the caller is gone, which aiohttp takes as the end of the connection.
        """
        if isinstance(exc, ConnectionResetError) and (self.transport is None or self.transport.is_closing()):
            raise exc
        request_id = secrets.token_hex(8)
        error: LecternError
        if isinstance(exc, HttpProcessingError) and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            error = Malformed()
            log.info("unreadable request", request_id=request_id, peer=request.remote, reason=type(exc).__name__)
        else:
            error = Internal()
            log.error("request failed", request_id=request_id, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        headers = {"X-Content-Type-Options": "nosniff", "X-Request-Id": request_id}
        response = problem_response(error, request_id, headers)
        response.force_close()
        return response

    @property
    def has_passed_on_all(self) -> bool:
        """Whether every byte that came is in a request by now; else some waits in the parser for its reader."""
        return not self._reading_paused and not self._buffer_paused

    def _tell_readers(self) -> bool:
        """No further byte can be read: whoever waits for the rest of a body would wait until it is given up. Whether
        there was one that is not whole; only of the last request can that be.
        """
        body = self._body
        if body is None or body.is_eof() or body.exception() is not None:
            return False
        body.set_exception(web.RequestPayloadError("the body cannot be read"))
        self._lingering_time = 0.0  # after the answer nothing is waited for
        return True

    def _is_idle(self) -> bool:
        """Whether the next request is waited for, everything before it being answered."""
        return self._waiter is not None and not self._waiter.done() and not self._close and not self._force_close


class Server(web.Server):
    """Makes a Protocol for each connection."""

    early: Early | None = None

    def __call__(self) -> Protocol:
        return Protocol(self, early=self.early, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Serves an application by these protocols."""

    async def _make_server(self) -> Server:
        made = await super()._make_server()  # the application is started
        server = Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)
        server.early = self.app.get(EARLY)
        return server
