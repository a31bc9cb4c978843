"""Polls and questions over the socket: counted once each, and nobody learns who."""

from __future__ import annotations

import json
import uuid

from sqlalchemy import func, select

from server.live_sessions.tables import PollAnswer, QuestionVote
from tests.factories import World
from tests.signaling.conftest import Connect, a_class, stored


async def test_a_poll_is_answered_once_each_changeably_and_closed_with_its_tally(tab: Connect, world: World) -> None:
    room, (ana, bo, cleo) = await a_class(tab, world, "ana", "bo", "cleo")
    wish = {"live_session_id": room, "question": "Clear?", "options": ["Yes", "No", "Partly"]}
    assert (await bo.durable("poll_open", **wish))["error"]["code"] == "not_course_instructor"
    poll = (await ana.durable("poll_open", **wish))["seq"]
    opened = await bo.hear_event("poll_opened")
    assert (opened["seq"], opened["payload"]) == (
        poll,
        {"question": "Clear?", "options": ["Yes", "No", "Partly"], "multiple": False, "hidden": False},
    )
    first = {"live_session_id": room, "poll": poll, "choices": [1], "client_id": str(uuid.uuid4())}
    answered = await bo.wish("poll_answer", **first)
    assert answered == {"ok": True, "seq": poll, "at": answered["at"]}
    await cleo.durable("poll_answer", live_session_id=room, poll=poll, choices=[0])
    await bo.durable("poll_answer", live_session_id=room, poll=poll, choices=[2])
    assert await bo.wish("poll_answer", **first) == answered
    assert (await bo.durable("poll_answer", live_session_id=room, poll=poll, choices=[2]))["unchanged"] is True
    await cleo.until(lambda t: [x for x in t.all("poll_tally") if x["tally"] == [1, 0, 1] and x["answers"] == 2])

    back = (await bo.wish("join", live_session_id=room))["you"]
    assert back["poll_answers"] == [{"poll": poll, "choices": [2]}]
    assert back["poll_tallies"] == [{"poll": poll, "tally": [1, 0, 1], "answers": 2}]
    assert (await bo.durable("poll_close", live_session_id=room, poll=poll))["error"]["code"] == "not_course_instructor"
    assert (await ana.durable("poll_close", live_session_id=room, poll=poll))["ok"]
    assert (await cleo.hear_event("poll_closed"))["payload"] == {"poll": poll, "tally": [1, 0, 1]}
    late = await cleo.durable("poll_answer", live_session_id=room, poll=poll, choices=[1])
    assert late["error"]["code"] == "poll_closed"
    [shown] = (await bo.wish("join", live_session_id=room))["snapshot"]["polls"]
    assert (shown["open"], shown["tally"]) == (False, [1, 0, 1])

    assert "choices" not in json.dumps(await stored(world, room))
    async with world.database.read() as read:
        assert await read.scalar(select(func.count()).select_from(PollAnswer).where(PollAnswer.is_current)) == 2


async def test_a_hidden_tally_is_the_instructors_until_the_poll_is_closed(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    hidden = {"live_session_id": room, "question": "Exam?", "options": ["Ready", "Not yet"], "hidden": True}
    poll = (await ana.durable("poll_open", **hidden))["seq"]
    await bo.durable("poll_answer", live_session_id=room, poll=poll, choices=[1])
    assert (await ana.hear("poll_tally")) == {"live_session_id": room, "poll": poll, "tally": [0, 1], "answers": 1}
    you = (await bo.wish("join", live_session_id=room))["you"]
    assert (you["poll_tallies"], you["poll_answers"]) == ([], [{"poll": poll, "choices": [1]}])
    await ana.durable("poll_close", live_session_id=room, poll=poll)
    await bo.hear_event("poll_closed")
    assert bo.all("poll_tally") == []


async def test_a_question_gathers_votes_whose_voters_nobody_learns(tab: Connect, world: World) -> None:
    room, (ana, bo, cleo) = await a_class(tab, world, "ana", "bo", "cleo")
    question = (await bo.durable("question_ask", live_session_id=room, text="Why do nodes stand still?"))["seq"]
    vote = {"live_session_id": room, "question": question, "on": True, "client_id": str(uuid.uuid4())}
    first = await cleo.wish("question_vote", **vote)
    assert await cleo.wish("question_vote", **vote) == first
    assert (await cleo.durable("question_vote", live_session_id=room, question=question, on=True))["unchanged"] is True
    await ana.durable("question_vote", live_session_id=room, question=question, on=True)
    votes = await bo.until(lambda t: (v := [e for e in t.events if e["type"] == "question_voted"])[1:] and v)
    assert [(event["actor_id"], event.get("client_id"), event["payload"]) for event in votes] == [
        (None, None, {"question": question, "votes": 1}),
        (None, None, {"question": question, "votes": 2}),
    ]
    assert votes[0]["seq"] == first["seq"]
    assert (await cleo.wish("join", live_session_id=room))["you"]["question_votes"] == [question]
    await cleo.durable("question_vote", live_session_id=room, question=question, on=False)
    assert await cleo.wish("question_vote", **vote) == first
    assert (await cleo.durable("question_resolve", live_session_id=room, question=question))["error"]["status"] == 403
    assert (await ana.durable("question_resolve", live_session_id=room, question=question))["ok"]
    [shown] = (await bo.wish("join", live_session_id=room))["snapshot"]["questions"]
    assert (shown["votes"], shown["resolved"], shown["actor_id"]) == (1, True, world.id_of("bo"))
    async with world.database.read() as read:
        assert await read.scalar(select(func.count()).select_from(QuestionVote)) == 3


async def test_what_does_not_fit_is_refused_with_its_reason(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    poll = (await ana.durable("poll_open", live_session_id=room, question="?", options=["a", "b"]))["seq"]
    here = {"live_session_id": room}
    for tab_, event, payload, code in (
        (ana, "poll_open", {"question": "", "options": ["a", "b"]}, "invalid"),
        (ana, "poll_open", {"question": "?", "options": ["a"]}, "invalid"),
        (ana, "poll_open", {"question": "?", "options": ["a", "a"]}, "invalid"),
        (ana, "poll_open", {"question": "?", "options": [str(n) for n in range(11)]}, "invalid"),
        (bo, "poll_answer", {"poll": poll, "choices": []}, "invalid"),
        (bo, "poll_answer", {"poll": poll, "choices": [0, 1]}, "invalid"),
        (bo, "poll_answer", {"poll": poll, "choices": [2]}, "invalid"),
        (bo, "poll_answer", {"poll": poll + 100, "choices": [0]}, "poll_not_found"),
        (bo, "question_ask", {"text": "x" * 501}, "invalid"),
        (bo, "question_vote", {"question": poll, "on": True}, "question_not_found"),
    ):
        assert (await tab_.durable(event, **here, **payload))["error"]["code"] == code, (event, payload)


async def test_the_end_of_class_is_acknowledged_first_and_closes_polls_that_are_open(
    tab: Connect, world: World
) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    wish = {"live_session_id": room, "question": "Clear?", "options": ["Yes", "No"], "hidden": True}
    polls = [(await ana.durable("poll_open", **wish))["seq"] for _ in range(2)]
    assert (await bo.durable("poll_answer", live_session_id=room, poll=polls[1], choices=[1]))["ok"]
    ended = await ana.acknowledged("session_end", live_session_id=room, client_id=str(uuid.uuid4()))
    assert (ended["live_session"]["status"], ended["live_session"]["id"]) == ("ended", room)
    await bo.hear("room_closed")
    await ana.hear("room_closed")
    closed = [(e["type"], e["payload"]) for e in bo.events if e["seq"] >= ended["seq"]][:3]
    assert closed == [
        ("poll_closed", {"poll": polls[0], "tally": [0, 0]}),
        ("poll_closed", {"poll": polls[1], "tally": [0, 1]}),
        ("session_ended", {"reason": "ended"}),
    ]
    heard = [name for name, _ in ana.told]
    assert heard.index("session_end acknowledged") < max(i for i, name in enumerate(heard) if name == "timeline")
    after = ana.told[heard.index("session_end acknowledged") :]
    told_after = [e["type"] for name, payload in after if name == "timeline" for e in payload["events"]]
    assert told_after[:3] == ["poll_closed", "poll_closed", "session_ended"]


async def test_the_start_of_class_is_acknowledged_before_it_is_told(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo"], status="scheduled")).id
    ana = await tab("ana")
    assert (await ana.wish("join", live_session_id=room))["waiting"]
    started = await ana.acknowledged("session_start", live_session_id=room, client_id=str(uuid.uuid4()))
    assert (started["notified"], started["live_session"]["status"]) == (1, "live")
    await ana.hear("room_opened")
    heard = [name for name, _ in ana.told]
    assert heard.index("session_start acknowledged") < heard.index("room_opened")
