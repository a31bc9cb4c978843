"""Socket.IO packets in and out (Socket.IO v5); the library parses, this bounds and checks what it parsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, Packet

from signaling.transport import wire
from signaling.transport.intake import Malformed
from signaling.transport.wire import Wire, wire_of

MOST_ATTACHMENTS = 10  # a header claiming more is no client's we know; the connection is closed

__all__ = ["ACK", "BINARY_ACK", "CONNECT", "DISCONNECT", "EVENT", "StrictPacket", "acknowledgement", "connect_error",
           "connected", "event", "event_frame", "parse", "with_attachments"]  # fmt: skip


class _Json:
    """The library's JSON module, strict and bounded."""

    loads = staticmethod(wire.loads)


class StrictPacket(Packet):  # type: ignore[misc]  # the library has no types
    """The library's parser on our JSON; nothing of the process-wide class is changed."""

    json = _Json


def parse(text: str) -> StrictPacket:
    """A client's packet, its shape checked; raises `Malformed` for anything a client may not send."""
    try:
        packet = StrictPacket(encoded_packet=text)
    except (ValueError, IndexError, TypeError) as error:
        raise Malformed("not a Socket.IO packet") from error
    kind, data, count = packet.packet_type, packet.data, packet.attachment_count
    if not text or kind not in (CONNECT, DISCONNECT, EVENT, ACK, BINARY_EVENT, BINARY_ACK):
        raise Malformed("unknown Socket.IO packet type")
    if count > MOST_ATTACHMENTS or bool(count) != (kind in (BINARY_EVENT, BINARY_ACK)):
        raise Malformed("wrong number of attachments")
    if kind == CONNECT and not (data is None or isinstance(data, dict)):
        raise Malformed("the connect payload is not an object")
    if kind in (EVENT, BINARY_EVENT) and not (isinstance(data, list) and data and isinstance(data[0], str)):
        raise Malformed("an event is a list that begins with its name")
    if kind in (ACK, BINARY_ACK) and not (isinstance(data, list) and packet.id is not None):
        raise Malformed("an acknowledgement is a list with an id")
    if kind == DISCONNECT and data is not None:
        raise Malformed("a disconnect has no payload")
    packet.namespace = packet.namespace or "/"
    return packet


def connected(namespace: str, sid: str) -> Wire:
    return _text(CONNECT, namespace, {"sid": sid})


def connect_error(namespace: str, data: Mapping[str, Any]) -> Wire:
    """`data.message` becomes the client's `error.message`, `data.data` its `error.data`."""
    return _text(CONNECT_ERROR, namespace, data)


def event_frame(namespace: str, name: str, payload: Any) -> bytes:
    """The frame of an event that carries one object."""
    return wire.object_frame(_beginning(namespace, name), payload, "]")


@lru_cache(maxsize=256)  # names are ours and few
def _beginning(namespace: str, name: str) -> str:
    return f"{_header(str(EVENT), namespace, None)}[{wire.dumps(name)},"


def event(namespace: str, name: str, args: Sequence[Any]) -> Wire:
    return _text(EVENT, namespace, [name, *args])


def acknowledgement(namespace: str, ack_id: int, args: Sequence[Any]) -> Wire:
    return _text(ACK, namespace, list(args), ack_id)


def with_attachments(kind: int, namespace: str, args: Sequence[Any], ack_id: int | None = None) -> Wire:
    """Like `event` (name first) and `acknowledgement`, for arguments that may hold bytes."""
    try:
        return _text(kind, namespace, list(args), ack_id)
    except TypeError:  # what is no JSON is looked for only then; a page of events has thousands of values
        if not any(map(_holds_bytes, args)):
            raise
    data, attachments = cast(tuple[Any, list[bytes]], Packet.deconstruct_binary(list(args)))
    binary = {EVENT: BINARY_EVENT, ACK: BINARY_ACK}[kind]
    return wire_of(_header(f"{binary}{len(attachments)}-", namespace, ack_id) + wire.dumps_list(data), *attachments)


def _holds_bytes(value: Any) -> bool:
    """What the library's `data_is_binary` says, ended at the first."""
    if isinstance(value, dict):
        return any(map(_holds_bytes, value.values()))
    if isinstance(value, list):
        return any(map(_holds_bytes, value))
    return isinstance(value, (bytes, bytearray))


def _text(kind: int, namespace: str, data: Any, ack_id: int | None = None) -> Wire:
    header = _header(str(kind), namespace, ack_id)
    return wire.text_wire(header, data) if isinstance(data, list) else wire_of(header + wire.dumps(data))


def _header(kind: str, namespace: str, ack_id: int | None) -> str:
    where = "" if namespace == "/" else namespace + ","
    return f"4{kind}{where}{'' if ack_id is None else ack_id}"
