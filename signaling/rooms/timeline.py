"""Commands become durable events: lock the session, catch up, look up repeats, decide, append, commit, then tell.

The session's row lock orders all writes to a room, whichever process makes them. perform() works in a caller's
transaction (REST, jobs); writer.py groups sockets' commands into transactions of its own. Both go through judge().
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from server.db.database import Database, Work
from server.errors import Away, LecternError, Missing
from server.live_sessions import service as live_sessions
from server.live_sessions.commands import CancelLiveSession, CutOff, StartLiveSession
from server.live_sessions.rules import AlreadyLive
from server.live_sessions.rules import InvalidStatus as CannotCancel
from server.live_sessions.tables import LiveSession, Participation
from signaling.rooms import effects, keeping, private, seating
from signaling.rooms import log as timeline_log
from signaling.rooms.briefing import briefed
from signaling.rooms.evolve import evolve_all
from signaling.rooms.registry import Entry, Registry
from signaling.rooms.room import Enter, GiveUpSeat, Leave, New, Private, Vacate, decide
from signaling.rooms.state import Room, TimelineEvent

SEAT_HELD = timedelta(seconds=60)
RENEWED_APART = timedelta(seconds=60)
MOST_BELIEVED = 10_000  # people remembered whose word renewed an epoch; then all are forgotten
log = structlog.get_logger(__name__)
Ring = Callable[[int, str, Sequence[TimelineEvent]], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to: the position, whether anything changed, and what the acknowledgement adds."""

    seq: int
    at: datetime
    is_unchanged: bool = False
    is_repeat: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


Judged = Answer | LecternError  # a refusal is an outcome like another in a group


@dataclass(slots=True)
class Scene:
    """One room inside one transaction: its locked row, its state with what this transaction added."""

    row: LiveSession
    room: Room
    kept_seq: int = 0
    events: list[TimelineEvent] = field(default_factory=list)


class _Entries:
    """What those who enter one room in one transaction come to. `held` is since when seats only are held."""

    def __init__(self, held: Mapping[seating.Seat, datetime], now: datetime) -> None:
        self._held, self._now = held, now
        self.scene: Scene
        self.joined: list[TimelineEvent] = []
        self._new: list[TimelineEvent] = []  # of those, what is not in the scene's room yet,
        self._coming: set[int] = set()  # and whose it is
        self.seats: dict[str, seating.Seat] = {}  # by connection
        self.late: dict[int, str] = {}  # back after so long that attendance has a gap, with their roles

    @property
    def begun(self) -> set[seating.Seat]:
        """Whose stay begins with this transaction."""
        room = self.scene.row.id
        return {(room, event.payload["user_id"]) for event in self.joined} | {(room, who) for who in self.late}

    def is_lapsed(self, scene: Scene, wish: Enter, seat_held: timedelta) -> bool:
        """Whether the seat was held for longer than seats are."""
        seen_at = self._held.get((scene.row.id, wish.user_id))
        return seen_at is not None and self._now - seen_at > seat_held

    def judged(self, scene: Scene, wish: Enter) -> Judged:
        """Decide in the room as it is with those before."""
        if wish.user_id in self._coming or scene.room.max_participants is not None:  # else they make no difference
            self.let_in(scene)
        try:
            decided = decide(scene.room, wish)
        except LecternError as refusal:
            return refusal
        self.scene = scene
        self.seats[wish.connection_id] = seat = (scene.row.id, wish.user_id)
        reached = scene.room.seq + len(self._new)
        events = _numbered(reached, decided, self._now)
        if events:
            self._new += events
            self._coming.add(wish.user_id)
            self.joined += events
        away = self._now - self._held.get(seat, self._now)
        if away > seating.BRIDGED and not (events or wish.stayed):
            self.late[wish.user_id] = wish.role
        return Answer(events[0].seq if events else reached, self._now, is_unchanged=not events)

    def let_in(self, scene: Scene) -> None:
        """Whoever joined is in the scene's room from here on."""
        scene.room = evolve_all(scene.room, self._new)
        self._new.clear()
        self._coming.clear()


class Timeline:
    """The log of all rooms, as this process writes it. Implements server.ports.Rooms."""

    def __init__(self, database: Database, registry: Registry, *, seat_held: timedelta = SEAT_HELD) -> None:
        self.database, self.registry, self.seat_held = database, registry, seat_held
        self._renewed: dict[int, datetime] = {}  # rooms whose epoch was renewed lately
        self._believed = set[tuple[int, int]]()  # rooms, and whose word alone renewed their epoch here
        self.states = keeping.States(database)
        self.lease_id = 0  # set by presence when the process's lease is written
        self.ring: Ring = lambda live_session_id, epoch, events: None  # the bell of the other processes

    async def perform(self, work: Work, command: Any) -> Mapping[str, Any]:
        """A room command in the caller's transaction; members are told after its commit. Raises LecternError."""
        if isinstance(command, CutOff):
            await self._cut_off(work, command)
            return {}
        if isinstance(command, CancelLiveSession):
            await self._cancel(work, command)
            return {}
        actor = getattr(command, "actor_id", None)
        answer = await self.judge(work, command.live_session_id, command, actor, getattr(command, "client_id", None))
        self.tell_after_commit(work)
        return {"seq": answer.seq, "notified": 0, **answer.extra}

    async def renew_epoch(self, live_session_id: int, epoch: str, ahead: int, *, said_by: int | None = None) -> None:
        """A client, or a room here, beyond the log's end proves that the log was put back to an earlier state.

        From then on positions of the old epoch mean nothing. At most one renewal a room within RENEWED_APART, and one
        at the word of the same person (`said_by`; not the host, whose class it is): a client may claim to be ahead that
        is not, and all others ask for snapshots. What this process told and the log has lost it finds by itself, so an
        honest client is ahead only of a log that was put back before the process began, and says so once.
        """
        now = self.database.clock.now()
        self._renewed = {room: at for room, at in self._renewed.items() if now - at < RENEWED_APART}
        if live_session_id in self._renewed or (live_session_id, said_by) in self._believed:
            return
        async with self.database.work("renew epoch") as work:
            row = await work.get(LiveSession, live_session_id, for_update=True)
            if row is None or row.epoch != epoch or ahead <= row.last_seq:
                return
            row.epoch = _new_epoch(row, ahead)
            work.after_commit(lambda: self.registry.renew(live_session_id, row.epoch))
        self._renewed[live_session_id] = now
        if said_by is not None and said_by != row.host_id:
            if len(self._believed) >= MOST_BELIEVED:
                self._believed.clear()
            self._believed.add((live_session_id, said_by))

    async def judge(
        self, work: Work, live_session_id: int, command: Any, actor_id: int | None, client_id: str | None
    ) -> Answer:
        """Decide one command and write its events. Raises LecternError when refused; then nothing was written."""
        scene = await self._scene(work, live_session_id)
        if client_id is not None and actor_id is not None:
            stored = await timeline_log.answer_to(work, live_session_id, actor_id, client_id)
            if stored is not None:
                return Answer(stored.seq, stored.at, is_repeat=True, extra=stored.extra)
        if isinstance(command, StartLiveSession):
            await self._require_only_live(work, scene.row)
        if isinstance(command, (Enter, GiveUpSeat)):
            command = replace(command, is_lapsed=await self._is_lapsed(work, scene.row.id, command.user_id))
        decided = decide(scene.room, await briefed(work, scene.room, command))
        if isinstance(command, (Vacate, Leave)) and command.connection_id is not None:
            is_last = await seating.disconnect(work, scene.row, [command])
            decided = decided if is_last else ()
        answer = await self._append(work, scene, decided, actor_id, client_id)
        if isinstance(command, Enter):
            await seating.connect(work, [(command.connection_id, (scene.row.id, command.user_id))], self.lease_id)
        return answer

    async def judge_entries(self, work: Work, wishes: Mapping[int, Sequence[Enter]]) -> list[Judged]:
        """Like judge() for each wish of each live session, in order, with as many statements as for one.

        Refusals are returned, not raised.
        """
        await self._scenes(work, wishes)
        held = await seating.held_since(work, {(room, wish.user_id) for room in wishes for wish in wishes[room]})
        judged = list[Judged]()
        entries = [_Entries(held, work.now) for _ in wishes]
        for entered, (room, wished) in zip(entries, wishes.items(), strict=True):
            try:
                scene = await self._scene(work, room)
            except Missing as refusal:
                judged += [refusal] * len(wished)
                continue
            for wish in wished:
                if entered.is_lapsed(scene, wish, self.seat_held):  # their old stay ends first
                    entered.let_in(scene)
                    judged.append(await self._judge_alone(work, room, wish))
                else:
                    judged.append(entered.judged(scene, wish))
            entered.let_in(scene)
        await self._write_entries(work, [each for each in entries if each.seats])
        return judged

    async def _write_entries(self, work: Work, entries: Sequence[_Entries]) -> None:
        """What the wishes of each room came to, all rooms' rows together."""
        if joined := [each for each in entries if each.joined]:
            for each in joined:
                each.scene.events = sorted([*each.scene.events, *each.joined], key=lambda event: event.seq)
            await seating.move_on(work, {each.scene.row: each.scene.room.seq for each in joined})
            await seating.begin_stays(work, [(each.scene.row, each.joined) for each in joined])
            await timeline_log.append_joined(work, {each.scene.row.id: each.joined for each in joined})
        for each in entries:
            if each.late:
                await seating.begin_again(work, each.scene.row, each.late)
        taken = [one for each in entries for one in each.seats.items()]  # a connection may be in several rooms
        if taken:
            await seating.connect(work, taken, self.lease_id, begun={seat for each in entries for seat in each.begun})

    async def _judge_alone(self, work: Work, live_session_id: int, wish: Enter) -> Judged:
        try:
            return await self.judge(work, live_session_id, wish, None, None)
        except Away:
            raise
        except LecternError as refusal:
            return refusal

    async def judge_vacancies(self, work: Work, live_session_id: int, wishes: Sequence[Vacate]) -> list[Judged]:
        """Like judge() for each, with as many statements as for one."""
        scene = await self._scene(work, live_session_id)
        await seating.disconnect(work, scene.row, wishes)
        return [Answer(scene.room.seq, work.now, is_unchanged=True) for _ in wishes]

    async def _append(
        self,
        work: Work,
        scene: Scene,
        decided: Sequence[New | Private],
        actor_id: int | None,
        client_id: str | None,
    ) -> Answer:
        """Write what was decided. The client_id goes with the private record when there is one: events are public."""
        if not decided:
            return Answer(scene.room.seq, work.now, is_unchanged=True)
        kept = [record for record in decided if not isinstance(record, New)]
        events = _numbered(scene.room.seq, decided, work.now, actor_id, None if kept else client_id)
        extra = await self._append_events(work, scene, events) if events else {}
        seq = events[0].seq if events else scene.room.seq
        for record in kept:
            assert actor_id is not None and client_id is not None  # private records come of wishes alone
            await private.keep(work, scene.row.id, actor_id, client_id, seq, record)
        return Answer(seq, work.now, extra=extra)

    async def _append_events(self, work: Work, scene: Scene, events: Sequence[TimelineEvent]) -> dict[str, Any]:
        scene.room = evolve_all(scene.room, events)
        scene.row.last_seq = scene.room.seq
        if scene.row.empty_since is None and not any(p.in_room for p in scene.room.participants.values()):
            scene.row.empty_since = work.now
        extra = await effects.apply(work, scene.row, events)
        await timeline_log.append(work, scene.row.id, events, extra)
        scene.events.extend(events)
        return extra

    async def _scene(self, work: Work, live_session_id: int) -> Scene:
        """The room as this transaction sees it; its row is locked until the end."""
        scenes: dict[int, Scene] = work.scratch.setdefault(Scene, {})
        if (known := scenes.get(live_session_id)) is not None:
            return known
        row = await work.get(LiveSession, live_session_id, for_update=True)
        if row is None:
            raise Missing()
        return await self._set(work, row)

    async def _scenes(self, work: Work, live_session_ids: Iterable[int]) -> None:
        """Several at once; always locked in the same order. Those that do not exist are left out."""
        wanted = sorted(set(live_session_ids).difference(work.scratch.get(Scene, ())))
        if len(wanted) > 1:
            rows = select(LiveSession).where(LiveSession.id.in_(wanted)).order_by(LiveSession.id).with_for_update()
            for row in list(await work.scalars(rows.execution_options(populate_existing=True))):
                await self._set(work, row)

    async def _set(self, work: Work, row: LiveSession) -> Scene:
        live_session_id = row.id
        scenes: dict[int, Scene] = work.scratch.setdefault(Scene, {})
        entry = self.registry.known(live_session_id)
        if entry is not None and entry.epoch == row.epoch and entry.room.seq <= row.last_seq:
            room, missed = entry.room, list[TimelineEvent]()
            if room.seq < row.last_seq:
                missed = await timeline_log.events_after(work, live_session_id, room.seq, row.last_seq - room.seq)
                room = evolve_all(room, missed)
            scene = Scene(row, room, entry.kept_seq, missed)
        else:
            if entry is not None and entry.epoch == row.epoch:  # it was told what the log does not hold any more
                row.epoch = _new_epoch(row, entry.room.seq)
            rebuilt = await timeline_log.rebuild(work, row)
            scene = Scene(row, rebuilt.room, rebuilt.kept_seq)
        status = "cancelled" if row.status == "cancelled" else scene.room.status  # no event says so; another may have
        scene.room = replace(scene.room, status=status, max_participants=row.max_participants)
        scenes[live_session_id] = scene
        return scene

    def tell_after_commit(self, work: Work) -> None:
        """Once per transaction: members are told of what it appended; if its end is not seen, the log is asked."""
        if "told" in work.scratch:
            return
        work.scratch["told"] = True
        work.after_commit(lambda: self.adopt(work))
        work.after_commit(lambda: self.tell(work))
        work.after_rollback(lambda: self.doubt(work))

    def adopt(self, work: Work) -> None:
        """After the commit, before anybody is answered: rooms unknown here need not be read again."""
        for live_session_id, scene in work.scratch.get(Scene, {}).items():
            self.registry.adopt(live_session_id, Entry(scene.row.epoch, scene.room, scene.kept_seq))

    def tell(self, work: Work) -> None:
        for live_session_id, scene in work.scratch.get(Scene, {}).items():
            self.registry.advance(live_session_id, scene.row.epoch, scene.events)
            self.ring(live_session_id, scene.row.epoch, scene.events)
            entry = self.registry.known(live_session_id)
            if entry is not None and entry.room.seq - entry.kept_seq >= keeping.EVERY:
                self.states.keep(entry)

    def doubt(self, work: Work) -> None:
        for live_session_id in work.scratch.get(Scene, {}):
            self.registry.heal(live_session_id)

    async def _require_only_live(self, work: Work, row: LiveSession) -> None:
        """A course has one live session at a time; the unique index catches whoever races past this look."""
        if row.course_id is None or row.status == "live":
            return
        other = select(LiveSession.id).where(LiveSession.course_id == row.course_id, LiveSession.status == "live")
        if (found := await work.scalar(other)) is not None:
            raise AlreadyLive(live_session_id=found)
        if row.status != "scheduled":
            return
        try:
            async with work.session.begin_nested():
                row.status = "live"
        except IntegrityError as error:
            await work.session.refresh(row)
            raise AlreadyLive(live_session_id=await work.scalar(other)) from error

    async def _is_lapsed(self, work: Work, live_session_id: int, user_id: int) -> bool:
        open_stay = select(Participation.last_seen_at).where(
            Participation.live_session_id == live_session_id,
            Participation.user_id == user_id,
            Participation.left_at.is_(None),
        )
        seen_at = await work.scalar(open_stay)
        return seen_at is not None and work.now - seen_at > self.seat_held

    async def _cut_off(self, work: Work, command: CutOff) -> None:
        rooms = select(LiveSession.id).where(LiveSession.course_id == command.course_id, LiveSession.status == "live")
        for live_session_id in list(await work.scalars(rooms)):
            await self.judge(work, live_session_id, Leave(command.user_id), None, None)
        self.tell_after_commit(work)

    async def _cancel(self, work: Work, command: CancelLiveSession) -> None:
        row = await work.get(LiveSession, command.live_session_id, for_update=True)
        if row is None:
            raise Missing()
        if row.status == "cancelled":
            return
        if row.status != "scheduled":
            raise CannotCancel("A class that has begun cannot be cancelled; end it instead.")
        row.status, row.updated_at = "cancelled", work.now
        if row.scheduled_at is not None:
            await live_sessions.tell_cancelled(work, row)
        await live_sessions.announce_change(work, row)
        work.announce(effects.RoomClosed(row.id, "cancelled"))
        work.after_commit(lambda: self.registry.update(row.id, lambda room: replace(room, status="cancelled")))


def _new_epoch(row: LiveSession, ahead: int) -> str:
    log.warning("epoch renewed", live_session_id=row.id, last_seq=row.last_seq, known=ahead)
    return secrets.token_hex(8)


def _numbered(
    after: int,
    decided: Sequence[New | Private],
    now: datetime,
    actor_id: int | None = None,
    client_id: str | None = None,
) -> list[TimelineEvent]:
    """The events of what was decided, behind number `after`; the first carries the wish's `client_id`."""
    return [
        TimelineEvent(
            after + 1 + index,
            now,
            new.type,
            None if new.is_anonymous else actor_id,
            client_id if index == 0 else None,
            new.payload,
        )
        for index, new in enumerate(new for new in decided if isinstance(new, New))
    ]
