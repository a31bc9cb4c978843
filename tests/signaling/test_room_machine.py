"""Whatever people do in a class, in whatever order, with connections lost and the server restarted: what each is told
is the log, whole, once and in order, and nothing of it that is private.

Hypothesis plays the people through the real gateway; the short form runs the same plays each time.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update

from server.app import build
from server.courses.tables import Enrollment
from server.db.database import Database
from server.events import EnrollmentActivated, EnrollmentEnded
from server.http.keys import DATABASE, READINESS, ROOMS
from server.live_sessions.commands import CutOff
from server.live_sessions.tables import LiveSessionEvent
from server.ports import SilentPublisher
from server.settings import Settings
from signaling.rooms.evolve import evolve
from signaling.rooms.state import Room, snapshot
from tests.conftest import SECRET
from tests.factories import World
from tests.signaling.conftest import Tab
from tests.signaling.rooms.test_twins import _event, _room

PEOPLE = ("ana", "bo", "cleo")
STUDENTS = PEOPLE[1:]
WHO = st.integers(0, 5)  # of those who can do it now
EARLIER = st.integers(0, 5)  # how far back among the lines, polls or questions so far
PRIVATE = ('"choices"', '"voters"', "poll_answered")  # in nothing that is told to a room
BETWEEN_RESTARTS, BETWEEN_REVOCATIONS = 12, 5  # acknowledged wishes: what costs most must not crowd out the rest
LEAST_SHARE = 1 / 3  # of all steps are wishes that changed the class; the rest come, go, repeat or are refused
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # a failing play is shown as it was, not shortened for minutes


@dataclass
class Seat:
    """One person's side: the connection, and the timeline as their page has put it together."""

    tab: Tab | None = None
    heard: int = 0  # of the tab's messages, how many are worked in
    is_in: bool = False
    epoch: str = ""
    room: Room | None = None
    wishes: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    def work_in(self) -> None:
        """Live events, which must continue where this page is."""
        assert self.tab is not None
        told, self.heard = self.tab.told[self.heard :], len(self.tab.told)
        for name, payload in told:
            assert not any(word in json.dumps(payload) for word in PRIVATE)
            if name == "room_closed":
                self.is_in = False
            elif name == "timeline":
                assert self.is_in, f"told after it was out: {payload}"
                self.take(payload["epoch"], payload["events"])

    def take(self, epoch: str, events: list[dict[str, Any]]) -> None:
        assert self.room is not None and epoch == self.epoch
        for event in events:
            assert event["seq"] == self.room.seq + 1, "a gap, or twice the same"
            assert not any(word in json.dumps(event) for word in PRIVATE)
            assert event["type"] != "question_voted" or (event["actor_id"], event.get("client_id")) == (None, None)
            self.room = evolve(self.room, _event(event))


class Stage:
    """The server the plays are held on, in a loop of its own; it can be closed and built again on its database."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        generous = {
            f"LECTERN_LIMIT_{name}": 10_000 for name in ("EVENTS_PER_SECOND", "EVENTS_BURST", "CHAT_PER_SECOND")
        }
        given = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET, "LECTERN_DATA_DIR": str(folder), "PORT": 0}
        self.settings = Settings.model_validate({**given, **generous})
        self.database = Database.open(database_url, publisher=SilentPublisher())
        self.world: World = self.run(World.with_cast(self.database, SECRET))
        self.run(self.open())

    def run(self, call: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(call, 30))

    async def open(self) -> None:
        self.app: web.Application = build(self.settings)
        self.server = TestServer(self.app, host="127.0.0.1")
        await self.server.start_server()
        self.app[READINESS].sockets_accepted = True

    async def restart(self) -> None:
        await self.server.close()
        await self.open()

    def close(self) -> None:
        self.run(self.server.close())
        self.run(self.database.close())
        self.loop.close()


class Play(RuleBasedStateMachine):
    """One class. After each step everybody inside has the same timeline; at the end it is the stored one."""

    stage: Stage
    played = changed = 0  # steps of all plays of a run, and wishes among them that changed the class

    @initialize()
    def begin(self) -> None:
        world = self.stage.world
        self.course = self.stage.run(world.course("ana", STUDENTS))
        self.id: int = self.stage.run(world.live_session(course=self.course)).id
        self.seats = {person: Seat() for person in PEOPLE}
        self.acknowledged: dict[str, int] = {}
        self.revoked = set[str]()
        self.since_restart = self.since_revocation = 0
        self.lines, self.polls, self.questions = list[int](), list[int](), list[int]()
        for person in PEOPLE:
            self.enter(person)

    @invariant()
    def counts(self) -> None:
        type(self).played += 1

    @property
    def inside(self) -> list[str]:
        return [who for who in PEOPLE if self.seats[who].is_in]

    @property
    def outside(self) -> list[str]:
        return [who for who in PEOPLE if not self.seats[who].is_in and who not in self.revoked]

    def act(self, who: int | str, event: str, **payload: Any) -> dict[str, Any]:
        """A durable wish of somebody in the room; what it did is heard by all when this returns."""
        seat = self.seats[who if isinstance(who, str) else _of(self.inside, who)]
        assert seat.is_in and seat.tab is not None
        wish = {"live_session_id": self.id, "client_id": str(uuid.uuid4()), **payload}
        answer = dict(self.stage.run(seat.tab.wish(event, **wish)))
        assert answer["ok"] or answer["error"]["status"] < 500, answer
        if answer["ok"]:
            seat.wishes.append((event, wish, answer))
        if answer["ok"] and not answer.get("unchanged"):
            type(self).changed += 1
            self.since_restart, self.since_revocation = self.since_restart + 1, self.since_revocation + 1
            if event not in ("poll_answer", "question_vote"):
                self.acknowledged[wish["client_id"]] = answer["seq"]
        self.settle()
        return answer

    def settle(self) -> None:
        """Everybody inside hears all that is stored."""
        self.stage.run(self._settle())

    async def _settle(self) -> None:
        last = (await self._log())[-1]
        shown = []
        for seat in self.seats.values():
            if seat.tab is None or seat.room is None:
                continue
            if not seat.is_in:
                seat.work_in()
                continue
            if seat.room.seq < last:
                await seat.tab.until(lambda t: any(e["seq"] >= last for e in t.events))
            seat.work_in()
            shown.append((seat.room.seq, snapshot(seat.room)))
        assert all(one == shown[0] for one in shown)
        assert not shown or shown[0][0] == last

    @precondition(lambda self: self.outside)
    @rule(who=WHO)
    def comes(self, who: int) -> None:
        """Or comes back, from where the page was."""
        self.enter(_of(self.outside, who))

    def enter(self, who: str) -> None:
        self.stage.run(self._come(who, self.seats[who]))
        self.settle()

    async def _come(self, who: str, seat: Seat) -> None:
        if seat.tab is None:
            seat.tab = Tab(str(self.stage.server.make_url("")).rstrip("/"))
            seat.heard = 0
            await seat.tab.connect(self.stage.world.token(who))
        after = {"after": {"epoch": seat.epoch, "seq": seat.room.seq}} if seat.room is not None else {}
        answer = await seat.tab.wish("join", live_session_id=self.id, **after)
        assert answer["ok"], answer
        seat.is_in, seat.epoch = True, answer["epoch"]
        shared = {name: value for name, value in answer.items() if name != "you"}
        assert not any(word in json.dumps(shared) for word in PRIVATE)
        while True:
            if "snapshot" in answer:
                seat.room = _room(answer["snapshot"], answer["seq"])
            else:
                seat.take(answer["epoch"], answer["events"])
            if not answer.get("more"):
                return
            assert seat.room is not None
            answer = await seat.tab.wish("sync", live_session_id=self.id, epoch=seat.epoch, after=seat.room.seq)

    @precondition(lambda self: len(self.inside) > 1)
    @rule(who=WHO)
    def leaves(self, who: int) -> None:
        seat = self.seats[_of(self.inside, who)]
        assert seat.tab is not None
        assert self.stage.run(seat.tab.wish("leave", live_session_id=self.id))["ok"]
        seat.work_in()
        seat.is_in = False
        self.settle()

    @precondition(lambda self: len(self.inside) > 1)
    @rule(who=WHO)
    def is_cut_off(self, who: int) -> None:
        """The connection is lost without a word."""
        self.cut(_of(self.inside, who))

    def cut(self, who: str) -> None:
        seat = self.seats[who]
        if seat.tab is not None:
            self.stage.run(seat.tab.io.eio.disconnect(abort=True))
            seat.tab, seat.is_in = None, False

    @precondition(lambda self: self.since_restart >= BETWEEN_RESTARTS)
    @rule()
    def server_restarts(self) -> None:
        """And everybody who was inside comes back by themselves."""
        self.since_restart, were_in = 0, self.inside
        for who in PEOPLE:
            self.cut(who)
        self.stage.run(self.stage.restart())
        for who in were_in:
            self.enter(who)

    @precondition(lambda self: len(self.revoked) < len(STUDENTS) and self.since_revocation >= BETWEEN_REVOCATIONS)
    @rule(who=WHO)
    def is_revoked(self, who: int) -> None:
        out = _of([student for student in STUDENTS if student not in self.revoked], who)
        self.since_revocation = 0
        self.revoked.add(out)
        self.stage.run(self._enrollment(out, "revoked"))
        seat = self.seats[out]
        if seat.tab is not None and seat.is_in:
            self.stage.run(seat.tab.until(lambda t: [e for e in t.told[seat.heard :] if e[0] == "room_closed"]))
            seat.work_in()
            assert not seat.is_in
            refused = self.stage.run(seat.tab.wish("join", live_session_id=self.id))
            assert refused["error"]["code"] == "not_found"
        if not self.inside:
            self.enter("ana")
        self.settle()

    @precondition(lambda self: self.revoked)
    @rule(who=WHO)
    def is_enrolled_again(self, who: int) -> None:
        back = _of(sorted(self.revoked), who)
        self.stage.run(self._enrollment(back, "active"))
        self.revoked.remove(back)
        self.enter(back)

    async def _enrollment(self, who: str, status: str) -> None:
        user_id = self.stage.world.id_of(who)
        async with self.stage.app[DATABASE].work() as work:
            mine = update(Enrollment).filter_by(course_id=self.course.id, user_id=user_id)
            await work.execute(mine.values(status=status))
            if status == "active":
                work.announce(EnrollmentActivated(self.course.id, user_id))
                return
            await self.stage.app[ROOMS].perform(work, CutOff(self.course.id, user_id))
            work.announce(EnrollmentEnded(self.course.id, user_id, is_revoked=True))

    @precondition(lambda self: self.inside)
    @rule(who=WHO, text=st.sampled_from(["hello", "zażółć", "<b>"]), reply=st.booleans())
    def says(self, who: int, text: str, reply: bool) -> None:
        replying = {"reply_to": self.lines[0]} if reply and self.lines else {}
        answer = self.act(who, "chat_send", text=text, **replying)
        assert answer["ok"], answer
        self.lines.append(answer["seq"])

    @precondition(lambda self: self.inside and self.lines)
    @rule(who=WHO, back=EARLIER, what=st.sampled_from(["chat_edit", "chat_delete", "chat_react"]), on=st.booleans())
    def changes_a_line(self, who: int, back: int, what: str, on: bool) -> None:
        changes: dict[str, dict[str, Any]] = {"chat_edit": {"text": "new"}, "chat_react": {"emoji": "👍", "on": on}}
        self.act(who, what, seq=_of(self.lines[::-1], back), **changes.get(what, {}))

    @precondition(lambda self: any(self.seats[who].wishes for who in self.inside))
    @rule(who=WHO, back=EARLIER)
    def sends_again(self, who: int, back: int) -> None:
        """The same answer, whatever happened since; and nobody hears of it twice."""
        seat = self.seats[_of([one for one in self.inside if self.seats[one].wishes], who)]
        event, wish, answer = _of(seat.wishes[::-1], back)
        if not answer.get("unchanged"):
            assert seat.tab is not None
            assert self.stage.run(seat.tab.wish(event, **wish)) == answer
            self.settle()

    @precondition(lambda self: self.inside)
    @rule(who=WHO, up=st.booleans())
    def moves_a_hand(self, who: int, up: bool) -> None:
        self.act(who, "hand_raise" if up else "hand_lower")

    @precondition(lambda self: self.seats["ana"].is_in)
    @rule(hidden=st.booleans())
    def opens_a_poll(self, hidden: bool) -> None:
        answer = self.act("ana", "poll_open", question="Clear?", options=["Yes", "No"], hidden=hidden)
        if answer["ok"]:
            self.polls.append(answer["seq"])

    @precondition(lambda self: self.inside and self.polls)
    @rule(who=WHO, back=EARLIER, choice=st.integers(0, 1))
    def answers_a_poll(self, who: int, back: int, choice: int) -> None:
        self.act(who, "poll_answer", poll=_of(self.polls[::-1], back), choices=[choice])

    @precondition(lambda self: self.seats["ana"].is_in and self.polls)
    @rule(back=EARLIER)
    def closes_a_poll(self, back: int) -> None:
        self.act("ana", "poll_close", poll=_of(self.polls[::-1], back))

    @precondition(lambda self: self.inside)
    @rule(who=WHO)
    def asks(self, who: int) -> None:
        answer = self.act(who, "question_ask", text="Why?")
        if answer["ok"]:
            self.questions.append(answer["seq"])

    @precondition(lambda self: self.inside and self.questions)
    @rule(who=WHO, back=EARLIER, on=st.booleans())
    def votes(self, who: int, back: int, on: bool) -> None:
        self.act(who, "question_vote", question=_of(self.questions[::-1], back), on=on)

    def teardown(self) -> None:
        if not hasattr(self, "seats"):
            return
        try:
            if not self.seats["ana"].is_in:
                self.enter("ana")
            self.settle()
            self.stage.run(self._compare())
        finally:
            for who in PEOPLE:
                self.cut(who)

    async def _log(self) -> list[int]:
        async with self.stage.world.database.read() as read:
            positions = select(LiveSessionEvent.seq).filter_by(live_session_id=self.id)
            return list(await read.scalars(positions.order_by(LiveSessionEvent.seq)))

    async def _compare(self) -> None:
        """What everybody put together is what a page that comes now is shown, and what the log holds."""
        log = await self._log()
        assert log == list(range(1, len(log) + 1))
        ana = self.seats["ana"]
        assert ana.tab is not None and ana.room is not None
        fresh = await ana.tab.wish("join", live_session_id=self.id)
        assert fresh["snapshot"] == snapshot(ana.room)
        async with self.stage.world.database.read() as read:
            query = select(LiveSessionEvent.client_id, LiveSessionEvent.seq).filter_by(live_session_id=self.id)
            kept = {row.client_id: row.seq for row in await read.execute(query)}
        assert {client_id: kept.get(client_id) for client_id in self.acknowledged} == self.acknowledged
        hidden = {poll.poll for poll in ana.room.polls if poll.hidden and poll.open}
        for who in STUDENTS:
            tab = self.seats[who].tab
            tallies = tab.all("poll_tally") if tab is not None else []
            assert not hidden & {tally["poll"] for tally in tallies}


def _of(some: Sequence[Any], index: int) -> Any:
    return some[index % len(some)]


def _play(stage: Stage, examples: int, steps: int) -> None:
    play: type[Play] = type("PlayHere", (Play,), {"stage": stage})
    fixed = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=examples < 100,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=PHASES,
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(play, settings=fixed)
    assert play.played >= examples * steps / 3, play.played
    assert play.changed >= LEAST_SHARE * play.played, (play.changed, play.played)


@pytest.fixture
def stage(database_url: str, tmp_path: Path) -> Iterator[Stage]:
    opened = Stage(database_url, tmp_path)
    yield opened
    opened.close()


def test_a_class_whatever_happens_in_it(stage: Stage) -> None:
    _play(stage, examples=20, steps=50)


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_many_classes_whatever_happens_in_them(stage: Stage) -> None:
    _play(stage, examples=500, steps=50)
