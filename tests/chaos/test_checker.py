"""The checker finds what it is there to find: each fault, put into a history that was well, is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.checker import Answer, History, Log, View, Wish, lateness

ANA, BO = 1, 2
Case = tuple[History, Log]


def event(seq: int, type: str, actor_id: int | None, client_id: str | None, **payload: Any) -> dict[str, Any]:
    named = {} if client_id is None else {"client_id": client_id}
    return {"seq": seq, "at": f"at {seq}", "type": type, "actor_id": actor_id, **named, "payload": payload}


def wish(client_id: str, user_id: int, what: str, outcome: str, seq: int | None, **payload: Any) -> Wish:
    person = {ANA: "ana", BO: "bo"}[user_id]
    refusals = ["poll_closed"] if outcome == "refused" else []
    return Wish(client_id, person, user_id, what, payload, 1.0, outcome, seq, 2.0, 1, refusals)


def a_good_run() -> Case:
    """Two people, two lines, a poll with one answer in time and one too late, and a line without an answer."""
    events = [
        event(1, "session_started", ANA, None),
        event(2, "chat_posted", ANA, "a1", text="one", reply_to=None),
        event(3, "chat_posted", BO, "b1", text="two", reply_to=None),
        event(4, "poll_opened", ANA, "a2", question="?", options=["x", "y"], multiple=False, hidden=False),
        event(5, "poll_closed", ANA, "a3", poll=4, tally=[0, 1]),
    ]
    wishes = [
        wish("a1", ANA, "chat_send", "ok", 2, text="one"),
        wish("b1", BO, "chat_send", "ok", 3, text="two"),
        wish("a2", ANA, "poll_open", "ok", 4, question="?", options=["x", "y"]),
        wish("b2", BO, "poll_answer", "ok", 4, poll=4, choices=[1]),
        wish("a3", ANA, "poll_close", "ok", 5, poll=4),
        wish("b3", BO, "poll_answer", "refused", None, poll=4, choices=[0]),
        wish("b4", BO, "chat_send", "pending", None, text="never answered"),
    ]
    views = {"ana": View("ana", 0, "e", list(events)), "bo": View("bo", 1, "e", events[1:])}
    history = History({each.client_id: each for each in wishes}, views)
    log = Log(5, events, [Answer("b2", BO, 4, (1,), True)])
    return copy.deepcopy(history), copy.deepcopy(log)  # apart, so that a change to one is none to the other


def test_a_good_run_has_no_complaints() -> None:
    history, log = a_good_run()
    verdict = history.judged(log)
    assert verdict.complaints == []
    assert (verdict.acknowledged, verdict.refused, verdict.pending) == (5, 1, 1)
    assert (verdict.lost, verdict.doubled) == (0, 0)


def test_a_line_whose_answer_was_never_seen_may_be_there_once() -> None:
    history, log = a_good_run()
    extra = event(6, "chat_posted", BO, "b4", text="never answered", reply_to=None)
    for view in history.views.values():
        view.events.append(extra)
    assert history.judged(Log(6, [*log.events, extra], log.answers)).complaints == []


def lost(history: History, log: Log) -> Log:
    history.wishes["a9"] = wish("a9", ANA, "chat_send", "ok", 6, text="gone")
    return log


def under_another_number(history: History, log: Log) -> Log:
    history.wishes["a1"].seq = 3
    return log


def with_other_words(history: History, log: Log) -> Log:
    history.wishes["a1"].payload = {"text": "something else"}
    return log


def answer_lost(history: History, log: Log) -> Log:
    return Log(log.last_seq, log.events, [])


def doubled_under_two_ids(history: History, log: Log) -> Log:
    again = event(6, "chat_posted", BO, "b4", text="two", reply_to=None)
    return Log(6, [*log.events, again], log.answers)


def doubled_id(history: History, log: Log) -> Log:
    again = event(6, "chat_posted", BO, "b1", text="two, once more", reply_to=None)
    return Log(6, [*log.events, again], log.answers)


def number_missing(history: History, log: Log) -> Log:
    return Log(log.last_seq, [e for e in log.events if e["seq"] != 3], log.answers)


def refused_and_kept(history: History, log: Log) -> Log:
    return Log(log.last_seq, log.events, [*log.answers, Answer("b3", BO, 4, (0,), False)])


def refused_for_nothing(history: History, log: Log) -> Log:
    history.wishes["b3"].refusals = ["internal"]
    return log


def wished_by_nobody(history: History, log: Log) -> Log:
    del history.wishes["b1"]
    return log


def tally_too_small(history: History, log: Log) -> Log:
    log.events[4]["payload"]["tally"] = [0, 0]
    return log


def tally_with_unacknowledged(history: History, log: Log) -> Log:
    log.events[4]["payload"]["tally"] = [1, 1]
    return Log(log.last_seq, log.events, [*log.answers, Answer("b3", BO, 4, (0,), True)])


def view_behind(history: History, log: Log) -> Log:
    history.views["bo"].events.pop()
    return log


def view_doubled(history: History, log: Log) -> Log:
    history.views["bo"].events.append(history.views["bo"].events[-1])
    return log


def view_of_other_words(history: History, log: Log) -> Log:
    history.views["bo"].events[0]["payload"]["text"] = "misheard"
    return log


def told_again(history: History, log: Log) -> Log:
    view = history.views["bo"]
    view.take([view.events[-1]])
    view.events.pop()
    return log


def told_across_a_gap(history: History, log: Log) -> Log:
    view = View("eve", 0, "e")
    view.take(list(log.events[1:]))
    view.events.insert(0, log.events[0])
    history.views["eve"] = view
    return log


FAULTS: dict[Callable[[History, Log], Log], str] = {
    lost: "acknowledged, not in the log",
    under_another_number: "acknowledged, not in the log",
    with_other_words: "acknowledged, not in the log",
    answer_lost: "acknowledged, not in the log",
    doubled_under_two_ids: "there more than once",
    doubled_id: "there more than once",
    number_missing: "numbers are not",
    refused_and_kept: "refused, and in the log",
    refused_for_nothing: "refused for good",
    wished_by_nobody: "wished by nobody",
    tally_too_small: "tally",
    tally_with_unacknowledged: "tally",
    view_behind: "views differ",
    view_doubled: "views differ",
    view_of_other_words: "views differ",
    told_again: "told wrongly",
    told_across_a_gap: "told wrongly",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_each_fault_is_named(fault: Callable[[History, Log], Log]) -> None:
    history, log = a_good_run()
    complaints = history.judged(fault(history, log)).complaints
    assert any(FAULTS[fault] in complaint for complaint in complaints), complaints


def test_lateness_is_the_slowest_listener_after_the_answer() -> None:
    history, _ = a_good_run()
    for person, late in (("ana", 0.1), ("bo", 1.5)):
        history.views[person].heard_at = {2: 2.0 + late, 3: 2.0}
    assert lateness(history, ["ana", "bo"], 0.0, 3.0) == pytest.approx(1.5)
    assert lateness(history, ["ana"], 0.0, 3.0) == pytest.approx(0.1)
    assert lateness(history, ["ana", "bo"], 2.5, 3.0) == 0.0
