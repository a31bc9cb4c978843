"""Typed keys under which the application and its requests carry what handlers use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from server.access import Actor
from server.db.database import Database
from server.ports import Presence, Rooms
from server.settings import Settings

# Token to actor; raises Unauthenticated or TokenExpired.
Authenticate = Callable[[str], Awaitable[Actor]]


def _always() -> bool:
    return True


def _never() -> bool:
    return False


@dataclass
class Readiness:
    """What /readyz tells; app.py and the supervisor set it."""

    schema_at_head: bool = False
    sockets_accepted: bool = False
    media_needed: bool = True
    media_answers: bool = False
    media_answered_once: bool = False
    demo_seeding: bool = False
    draining: bool = False
    has_siblings: bool = False
    is_replaced: Callable[[], bool] = _never  # it drains, and its siblings and its successor serve on
    bus_is_up: Callable[[], bool] = _always


SETTINGS = web.AppKey("SETTINGS", Settings)
DATABASE = web.AppKey("DATABASE", Database)
ROOMS: web.AppKey[Rooms] = web.AppKey("ROOMS", Rooms)
PRESENCE: web.AppKey[Presence] = web.AppKey("PRESENCE", Presence)
AUTHENTICATE: web.AppKey[Authenticate] = web.AppKey("AUTHENTICATE", Callable)  # type: ignore[arg-type]
READINESS = web.AppKey("READINESS", Readiness)

ACTOR = web.RequestKey("ACTOR", Actor)
REQUEST_ID = web.RequestKey("REQUEST_ID", str)
