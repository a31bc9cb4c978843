"""Whatever people do in a class, in whatever order, with connections lost and the server restarted: what each is told
is the log, whole, once and in order, and nothing of it that is private.

Hypothesis plays the people through the real gateway; the short form runs the same plays each time.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
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

from server.courses.tables import Enrollment
from server.events import EnrollmentActivated, EnrollmentEnded
from server.http.keys import DATABASE, ROOMS
from server.live_sessions.commands import CutOff
from server.live_sessions.tables import LiveSessionEvent
from signaling.rooms.state import snapshot
from tests.signaling.class_stage import Ballots, Seat, Stage, refuse_private
from tests.signaling.conftest import Tab
from tests.signaling.rooms.test_twins import _room

PEOPLE = ("ana", "bo", "cleo")
STUDENTS = PEOPLE[1:]
WHO = st.integers(0, 5)  # of those who can do it now
EARLIER = st.integers(0, 5)  # how far back among the lines, polls or questions so far
BETWEEN_RESTARTS, BETWEEN_REVOCATIONS = 12, 5  # acknowledged wishes: what costs most must not crowd out the rest
LEAST_SHARE = 1 / 3  # of all steps are wishes that changed the class; the rest come, go, repeat or are refused
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # a failing play is shown as it was, not shortened for minutes


class Play(RuleBasedStateMachine):
    """One class. After each step everybody inside has the same timeline; at the end it is the stored one."""

    stage: Stage
    played = changed = 0  # steps of all plays of a run, and wishes among them that changed the class

    @initialize()
    def begin(self) -> None:
        world = self.stage.world
        self.course = self.stage.run(world.course("ana", STUDENTS))
        self.id: int = self.stage.run(world.live_session(course=self.course)).id
        self.ballots = Ballots()
        self.seats = {person: Seat(person, self.ballots) for person in PEOPLE}
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
        log = await self._log()
        last = log[-1]
        assert log == list(range(1, last + 1)), f"the log has gaps: {log}"
        shown = []
        for seat in self.seats.values():
            if seat.tab is None or seat.room is None:
                continue
            if not seat.is_in:
                seat.work_in()
                continue
            if seat.room.seq < last:
                await seat.hear(last)
            seat.work_in()
            assert seat.room.seq == last, f"{seat.who} is at {seat.room.seq}, the log at {last}"
            shown.append((seat.who, snapshot(seat.room)))
        for who, view in shown:
            assert view == shown[0][1], f"{who} and {shown[0][0]} see different rooms"

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
        refuse_private({name: value for name, value in answer.items() if name != "you"})
        seat.refuse_tally("join", answer)
        while True:
            if "snapshot" in answer:
                seat.room = _room(answer["snapshot"], answer["seq"])
            else:
                seat.take(answer["epoch"], answer["events"])
            if not answer.get("more"):
                return
            assert seat.room is not None
            answer = await seat.tab.wish("sync", live_session_id=self.id, epoch=seat.epoch, after=seat.room.seq)
            seat.refuse_tally("sync", answer)

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
            if hidden:
                self.ballots.ever.add(answer["seq"])
                self.ballots.open_now.add(answer["seq"])

    @precondition(lambda self: self.inside and self.polls)
    @rule(who=WHO, back=EARLIER, choice=st.integers(0, 1))
    def answers_a_poll(self, who: int, back: int, choice: int) -> None:
        self.act(who, "poll_answer", poll=_of(self.polls[::-1], back), choices=[choice])

    @precondition(lambda self: self.seats["ana"].is_in and self.polls)
    @rule(back=EARLIER)
    def closes_a_poll(self, back: int) -> None:
        closing = _of(self.polls[::-1], back)
        self.ballots.open_now.discard(closing)  # its closing tells everybody
        self.act("ana", "poll_close", poll=closing)

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
            if sys.exc_info()[0] is not None:
                return  # a step has failed, and its words are the ones to be read
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
        ana = self.seats["ana"]
        assert ana.tab is not None and ana.room is not None
        fresh = await ana.tab.wish("join", live_session_id=self.id)
        assert fresh["snapshot"] == snapshot(ana.room), "who comes now is shown another room"
        async with self.stage.world.database.read() as read:
            query = select(LiveSessionEvent.client_id, LiveSessionEvent.seq).filter_by(live_session_id=self.id)
            kept = {row.client_id: row.seq for row in await read.execute(query)}
        lost = {one: seq for one, seq in self.acknowledged.items() if kept.get(one) != seq}
        assert not lost, f"acknowledged, and not in the log as told: {lost}"


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
