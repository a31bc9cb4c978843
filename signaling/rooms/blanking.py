"""What is left of a chat line's older text once it was edited or deleted: nothing, neither in the log nor in memory.

A blanked event keeps its number, so the log stays without a gap, and replaying it ends at the same room: a deleted line
was never readable, an edited one says from the start what it says now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import update

from server.db.database import Work
from server.live_sessions.tables import LiveSessionEvent
from signaling.rooms import log as timeline_log
from signaling.rooms.state import TimelineEvent

BLANKS = ("chat_edited", "chat_deleted")  # events that leave older text behind them
TEXTS = ("chat_posted", "chat_edited")  # events that carry a line's text


def blanked(old: TimelineEvent, later: TimelineEvent) -> TimelineEvent:
    """`old` as it may be read once `later`, an edit or a deletion, has happened; itself when it is not concerned."""
    line = later.payload["seq"]
    if old.seq >= later.seq or old.type not in TEXTS or line_of(old) != line or old.payload.get("deleted") is True:
        return old
    if later.type == "chat_edited":
        return replace(old, payload={**old.payload, "text": later.payload["text"]})
    return replace(old, payload={"deleted": True} if old.type == "chat_posted" else {"seq": line, "deleted": True})


def line_of(event: TimelineEvent) -> int:
    """The chat line an event of TEXTS is about."""
    return event.seq if event.type == "chat_posted" else int(event.payload["seq"])


def blank_all(events: Iterable[TimelineEvent], later: Iterable[TimelineEvent]) -> list[TimelineEvent]:
    """Events kept in memory, after `later` ones; those may be among them."""
    kept = list(events)
    for change in later:
        if change.type in BLANKS:
            kept = [blanked(event, change) for event in kept]
    return kept


async def blank_stored(work: Work, live_session_id: int, later: TimelineEvent) -> None:
    """The same for the stored log, in the transaction that writes `later`."""
    for old in await timeline_log.line_events(work, live_session_id, later.payload["seq"], TEXTS):
        new = blanked(old, later)
        if new is not old:
            await work.execute(
                update(LiveSessionEvent)
                .where(LiveSessionEvent.live_session_id == live_session_id, LiveSessionEvent.seq == old.seq)
                .values(payload=dict(new.payload))
            )
