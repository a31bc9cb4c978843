"""Real-time transport: the official Socket.IO client over WebSocket and polling, nothing lost, one write per turn.

The one place that knows Engine.IO's insides. Everything outside sees connections, rooms and handlers.
"""

from signaling.transport.connection import Connection
from signaling.transport.counters import TransportCounters
from signaling.transport.handlers import ConnectRefused, Handlers
from signaling.transport.limits import TransportLimits
from signaling.transport.origins import OriginPolicy, SameOrigin
from signaling.transport.server import LiveServer
from signaling.transport.siblings import Place
from signaling.transport.versions import UnknownLibraryVersion
from signaling.transport.wire import Ready, dumps

__all__ = [
    "ConnectRefused",
    "Connection",
    "Handlers",
    "LiveServer",
    "OriginPolicy",
    "Place",
    "Ready",
    "SameOrigin",
    "TransportCounters",
    "TransportLimits",
    "UnknownLibraryVersion",
    "dumps",
]
