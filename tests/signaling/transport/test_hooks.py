"""The places where this transport leans on a library's insides, checked against the installed versions."""

from __future__ import annotations

import asyncio
import inspect
import socket
from importlib.metadata import version
from typing import Any

import engineio
import pytest
import socketio
from aiohttp import WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.http_websocket import WebSocketError

from signaling.transport import UnknownLibraryVersion, versions
from signaling.transport.link import SOCKET
from signaling.transport.packets import StrictPacket


def test_the_installed_versions_are_the_proven_ones() -> None:
    versions.require_proven_versions()
    assert {name: version(name) for name in versions.PROVEN} == versions.PROVEN


def test_an_unknown_version_stops_the_start_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "version", lambda name: "9.9.9")
    with pytest.raises(UnknownLibraryVersion) as refusal:
        versions.require_proven_versions()
    for name, proven in versions.PROVEN.items():
        assert f"{name} 9.9.9 is installed, {proven} is needed" in str(refusal.value)


def test_the_engine_methods_we_override_have_the_shape_we_override() -> None:
    server = engineio.AsyncServer
    assert list(inspect.signature(server._handle_connect).parameters) == ["self", "environ", "transport", "jsonp_index"]
    assert list(inspect.signature(server._ok).parameters) == ["self", "packets", "headers", "jsonp_index"]
    assert list(inspect.signature(server.disconnect).parameters) == ["self", "sid"]
    assert list(inspect.signature(server.handle_request).parameters) == ["self", "args", "kwargs"]
    assert list(inspect.signature(server.generate_id).parameters) == ["self"]


def test_the_request_handler_uses_of_a_session_what_ours_has() -> None:
    source = inspect.getsource(engineio.AsyncServer.handle_request)
    for used in ("socket.connected", "socket.upgraded", "socket.handle_get_request(", "socket.handle_post_request(",
                 "self.sockets[sid].closed", "await self.disconnect(sid)", "self._handle_connect("):  # fmt: skip
        assert used in source, used
    used_of_a_socket = {word for word in source.split() if word.startswith("socket.")}
    assert used_of_a_socket == {
        "socket.connected:",
        "socket.upgraded:",
        "socket.handle_get_request(",
        "socket.handle_post_request(environ)",
    }


def test_our_packets_leave_the_librarys_alone() -> None:
    assert socketio.packet.Packet.json is not StrictPacket.json


def test_aiohttp_lets_compression_be_turned_off() -> None:
    assert "compress" in inspect.signature(web.WebSocketResponse).parameters
    assert web.WebSocketResponse(compress=False).compress is False


def test_the_frame_parser_hands_messages_and_faults_to_a_queue_of_ours() -> None:
    heard = list[object]()

    class Queue(WebSocketDataQueue):
        def __init__(self) -> None:
            pass

        def feed_data(self, data: Any, size: int) -> None:
            heard.append((data.type, data.data))

        def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
            heard.append(type(exc))

    parser: Any = WebSocketReader(Queue(), 100, False, True)
    parser.feed_data(b"\x81\x82\0\0\0\0hi")
    parser.feed_data(b"\x83\x80\0\0\0\0")
    assert heard == [(WSMsgType.TEXT, "hi"), WebSocketError]


async def test_the_socket_within_what_asyncio_shows_of_it_is_found() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert isinstance(getattr(writer.get_extra_info("socket"), SOCKET), socket.socket)
        writer.close()
