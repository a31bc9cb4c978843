"""Who belongs to a class, as joining tabs are shown it: read once for many, serialized line by line, never stale.

Names and membership come from the database and are kept for FRESH_SECONDS at most; an enrollment that begins or ends
is heard of before. Who is online is looked up when presence says that it changed, for those people alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from server.db.database import Database
from server.db.gathering import Gathering
from server.live_sessions import people
from server.live_sessions.tables import LiveSession
from signaling.rooms.presence import Presence
from signaling.transport import Ready

FRESH_SECONDS = 2.0
BLOCK = 64  # lines joined together
MOST_KEPT = 64  # rosters; when there are more, all are forgotten and read again


@dataclass(slots=True)
class Roster:
    """One room's members: `lines` without their presence; who is in `stale` is looked at again before it is shown."""

    course_id: int | None
    read_at: float
    lines: dict[int, str]
    stale: set[int]
    blocks: Blocks


class Blocks:
    """Lines as JSON, in order, joined by the block: few change between two who join."""

    def __init__(self, user_ids: Iterable[int]) -> None:
        self._order = list(user_ids)
        self._places = {user_id: place for place, user_id in enumerate(self._order)}
        self._shown = [""] * len(self._order)
        self._blocks: list[bytes] = [b""] * -(-len(self._order) // BLOCK)

    def show(self, changed: Mapping[int, str]) -> None:
        """These people's lines are now these."""
        touched = set[int]()
        for user_id, line in changed.items():
            place = self._places[user_id]
            self._shown[place] = line
            touched.add(place // BLOCK)
        for block in touched:
            text = ",".join(self._shown[block * BLOCK : (block + 1) * BLOCK])
            self._blocks[block] = f"{',' if block else ''}{text}".encode()

    @property
    def ready(self) -> Ready:
        return Ready((b"[", *self._blocks, b"]"))


class Rosters:
    """`of()` a room before it is entered, `ready()` at the moment of entering."""

    def __init__(self, database: Database, presence: Presence, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._presence, self._clock = database, presence, clock
        self._kept: dict[int, Roster] = {}
        self._rows: dict[int, LiveSession] = {}
        self._forgotten = 0
        self._reading = Gathering(self._read)
        presence.changed = self._changed

    async def of(self, row: LiveSession, user_id: int) -> Roster:
        """The roster of a class that `user_id` belongs to. Raises DatabaseAway."""
        kept = self._kept.get(row.id)
        if kept is not None and self._clock() - kept.read_at <= FRESH_SECONDS:
            if user_id in kept.lines or len(kept.lines) >= people.LARGEST_ROSTER:
                return kept
        self._rows[row.id] = row
        return await self._reading.ask(row.id)

    def ready(self, live_session_id: int, roster: Roster) -> Ready:
        """It as it is now, without an await."""
        if self._kept.get(live_session_id) is not roster:
            roster.stale.update(roster.lines)  # nobody told it of changes any more
        if roster.stale:
            lines = roster.lines
            roster.blocks.show({who: self._shown(live_session_id, who, lines[who]) for who in roster.stale})
            roster.stale.clear()
        return roster.blocks.ready

    def forget(self, course_id: int) -> None:
        """Who belongs to this course has changed."""
        self._forgotten += 1
        self._kept = {number: kept for number, kept in self._kept.items() if kept.course_id != course_id}

    def _changed(self, user_id: int) -> None:
        for kept in self._kept.values():
            if user_id in kept.lines:
                kept.stale.add(user_id)

    async def _read(self, live_session_ids: Sequence[int]) -> dict[int, Roster]:
        rows = [self._rows.pop(live_session_id) for live_session_id in live_session_ids]
        asked_at, forgotten = self._clock(), self._forgotten
        async with self._database.read() as read:
            found = {row.id: await people.roster(read, row) for row in rows}
        if len(self._kept) + len(found) > MOST_KEPT:
            self._kept.clear()
        rosters = {}
        for row in rows:
            lines = {member.user_id: _line(member) for member in found[row.id]}
            rosters[row.id] = Roster(row.course_id, asked_at, lines, set(lines), Blocks(lines))
        if forgotten == self._forgotten:  # else what was read may be older than what was heard
            self._kept |= rosters
        return rosters

    def _shown(self, live_session_id: int, user_id: int, line: str) -> str:
        online = "true" if self._presence.is_online(user_id) else "false"
        in_room = "true" if self._presence.is_inside(live_session_id, user_id) else "false"
        return f'{line},"online":{online},"in_room":{in_room}}}'


def _line(member: people.Member) -> str:
    """A member as JSON, up to where the presence begins."""
    user = {"id": member.user_id, "name": member.name, "avatar_url": member.avatar_url}
    return json.dumps({"user": user, "role": member.role}, separators=(",", ":"), ensure_ascii=False)[:-1]
