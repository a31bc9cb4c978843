"""Facts as JSON, to be announced by other processes too; a kind that is not listed stays in its process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from server import events
from signaling.asides import Aside
from signaling.rooms.effects import RoomClosed, RoomOpened
from signaling.rooms.presence import PresenceTold
from signaling.rooms.private import TallyChanged

SHARED: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in (
        events.NotificationsAdded,
        events.LiveSessionChanged,
        events.EnrollmentActivated,
        events.EnrollmentEnded,
        events.SignInsEnded,
        events.RoleChanged,
        events.Limited,
        events.ContentProgressed,
        events.ContentChanged,
        events.ContentReady,
        events.ContentFailed,
        RoomOpened,
        RoomClosed,
        TallyChanged,
        Aside,
        PresenceTold,
    )
}


def facts_to_json(facts: Sequence[object]) -> list[dict[str, Any]]:
    """`[{kind, fact}]`, in order."""
    shown = []
    for fact in facts:
        kind = type(fact).__name__
        if kind in SHARED:
            shown.append({"kind": kind, "fact": SHARED[kind].dump_python(fact, mode="json")})
    return shown


def facts_from_json(shown: Sequence[dict[str, Any]]) -> list[object]:
    """The facts again; kinds of a newer server are passed over. Raises ValueError for a damaged one."""
    return [SHARED[one["kind"]].validate_python(one["fact"]) for one in shown if one["kind"] in SHARED]
