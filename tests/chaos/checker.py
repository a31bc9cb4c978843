"""What everybody wished and was told, and the proof at the end: the log holds it all, once, and everybody has the log.

A wish has one of four ends, as in Jepsen's histories: acknowledged (`ok`), refused for good (`refused`), or never
answered (`pending`), which may have happened or not. Refusals that say "not now" are no end: the wish is sent again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_COMPLAINTS = 20  # printed of one kind; the rest is counted
FAIR_REFUSALS = {"poll_closed"}  # nothing else that these clients wish is refused for good, whatever breaks


@dataclass
class Wish:
    """One durable wish and what came of it. Times are seconds of time.monotonic()."""

    client_id: str
    person: str
    user_id: int
    event: str
    payload: Mapping[str, Any]
    invoked_at: float
    outcome: str = "pending"  # ok, refused
    seq: int | None = None
    settled_at: float | None = None
    times_sent: int = 0
    refusals: list[str] = field(default_factory=list)  # codes, the last one of a refused wish included


@dataclass
class View:
    """What one client was told of the room: every event later than `base`, in the order in which it came."""

    person: str
    base: int = -1  # the snapshot's position; -1 before it
    epoch: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    heard_at: dict[int, float] = field(default_factory=dict)  # by seq
    complaints: list[str] = field(default_factory=list)

    @property
    def position(self) -> int:
        return int(self.events[-1]["seq"]) if self.events else self.base

    def take(self, events: Sequence[dict[str, Any]]) -> None:
        """Events as they came, live or in a page; the contract allows neither a repetition nor a gap."""
        for event in events:
            if event["seq"] != self.position + 1:
                what = "told again" if event["seq"] <= self.position else "told across a gap"
                self.complaints.append(f"{self.person} was {what}: {event['seq']} after {self.position}")
            self.events.append(event)
            self.heard_at.setdefault(event["seq"], time.monotonic())


@dataclass(frozen=True)
class Answer:
    """A stored poll answer."""

    client_id: str
    user_id: int
    poll: int
    choices: tuple[int, ...]
    is_current: bool


@dataclass(frozen=True)
class Log:
    """The room as the database has it, events as they are told."""

    last_seq: int
    events: Sequence[dict[str, Any]]
    answers: Sequence[Answer]


@dataclass
class Verdict:
    """What was proven; nothing is wrong when there are no complaints."""

    acknowledged: int = 0
    resent: int = 0  # of the acknowledged ones; how often a fault came between a wish and its answer
    refused: int = 0
    pending: int = 0
    lost: int = 0
    doubled: int = 0
    complaints: list[str] = field(default_factory=list)

    def complain(self, kind: str, found: Sequence[object]) -> None:
        shown = "; ".join(map(str, found[:MOST_COMPLAINTS]))
        if found:
            self.complaints.append(f"{len(found)} {kind}: {shown}")


@dataclass
class History:
    """Everything all clients did and heard."""

    wishes: dict[str, Wish] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)

    @property
    def pending(self) -> list[Wish]:
        return [wish for wish in self.wishes.values() if wish.outcome == "pending"]

    def acknowledged(self, event: str | None = None) -> list[Wish]:
        return [w for w in self.wishes.values() if w.outcome == "ok" and event in (None, w.event)]

    def judged(self, log: Log) -> Verdict:
        """Compare with the log. Linear in wishes and in what was told."""
        ends = Counter(wish.outcome for wish in self.wishes.values())
        resent = sum(wish.times_sent > 1 for wish in self.acknowledged())
        verdict = Verdict(ends["ok"], resent, ends["refused"], ends["pending"])
        self._numbers_are_whole(log, verdict)
        self._acknowledged_is_kept(log, verdict)
        self._nothing_is_there_twice(log, verdict)
        self._refused_is_not_there(log, verdict)
        self._tallies_are_the_answers(log, verdict)
        self._views_are_the_log(log, verdict)
        return verdict

    def _numbers_are_whole(self, log: Log, verdict: Verdict) -> None:
        seqs = [event["seq"] for event in log.events]
        if seqs != list(range(1, log.last_seq + 1)):
            missing = sorted(set(range(1, log.last_seq + 1)) - set(seqs))
            verdict.complain("numbers are not those from 1 to the last", missing or seqs[-5:])

    def _acknowledged_is_kept(self, log: Log, verdict: Verdict) -> None:
        events = {event["client_id"]: event for event in log.events if event.get("client_id")}
        answers = {answer.client_id: answer for answer in log.answers}
        lost = []
        for wish in self.acknowledged():
            if wish.event == "poll_answer":
                kept = answers.get(wish.client_id)
                is_kept = kept is not None and (kept.user_id, kept.poll, list(kept.choices)) == (
                    wish.user_id,
                    wish.payload["poll"],
                    wish.payload["choices"],
                )
            else:
                event = events.get(wish.client_id)
                is_kept = event is not None and (event["seq"], event["actor_id"]) == (wish.seq, wish.user_id)
                is_kept = is_kept and (event or {})["payload"].get("text") == wish.payload.get("text")
            if not is_kept:
                lost.append(f"{wish.person}'s {wish.event} {wish.payload} (seq {wish.seq})")
        verdict.lost = len(lost)
        verdict.complain("acknowledged, not in the log", lost)

    def _nothing_is_there_twice(self, log: Log, verdict: Verdict) -> None:
        """Neither a client_id nor, under whatever id, the words of one wish. Covers wishes whose end is unknown."""
        ids = Counter(event["client_id"] for event in log.events if event.get("client_id"))
        ids.update(answer.client_id for answer in log.answers)
        words = Counter(event["payload"]["text"] for event in log.events if event["type"] == "chat_posted")
        polls = Counter(event["payload"]["poll"] for event in log.events if event["type"] == "poll_closed")
        doubled = [what for counted in (ids, words, polls) for what, times in counted.items() if times > 1]
        verdict.doubled = len(doubled)
        verdict.complain("there more than once", doubled)
        strangers = set(ids) - set(self.wishes)
        verdict.complain("in the log, wished by nobody", sorted(strangers))

    def _refused_is_not_there(self, log: Log, verdict: Verdict) -> None:
        there = {event.get("client_id") for event in log.events} | {answer.client_id for answer in log.answers}
        refused = [w for w in self.wishes.values() if w.outcome == "refused" and w.client_id in there]
        verdict.complain("refused, and in the log", [f"{w.person}'s {w.event} {w.refusals[-1:]}" for w in refused])
        unfair = [w for w in self.wishes.values() if w.outcome == "refused" and w.refusals[-1] not in FAIR_REFUSALS]
        verdict.complain("refused for good", [f"{w.person}'s {w.event} {w.refusals[-1:]}" for w in unfair])

    def _tallies_are_the_answers(self, log: Log, verdict: Verdict) -> None:
        """A closed poll's tally counts each person's stored answer, and these are the acknowledged ones, no other."""
        for event in log.events:
            if event["type"] != "poll_closed":
                continue
            poll, tally = event["payload"]["poll"], event["payload"]["tally"]
            stored = Counter(c for a in log.answers if a.poll == poll and a.is_current for c in a.choices)
            given = [w for w in self.wishes.values() if w.event == "poll_answer" and w.payload["poll"] == poll]
            counted = Counter(c for w in given if w.outcome == "ok" for c in w.payload["choices"])
            unknown = sum(wish.outcome == "pending" for wish in given)
            expected = [counted[option] for option in range(len(tally))]
            if tally != [stored[option] for option in range(len(tally))] or not (
                sum(expected) <= sum(tally) <= sum(expected) + unknown
            ):
                verdict.complain("tally", [f"poll {poll}: {tally}, stored {dict(stored)}, acknowledged {expected}"])

    def _views_are_the_log(self, log: Log, verdict: Verdict) -> None:
        by_seq = {event["seq"]: event for event in log.events}
        differing = []
        for view in self.views.values():
            expected = [by_seq.get(seq) for seq in range(view.base + 1, log.last_seq + 1)]
            if view.events != expected:
                wrong = [e["seq"] for e, x in zip(view.events, expected, strict=False) if e != x]
                differing.append(f"{view.person} is at {view.position} of {log.last_seq}, differs at {wrong[:3]}")
        verdict.complain("views differ from the log", differing)
        verdict.complain("told wrongly", [said for view in self.views.values() for said in view.complaints])


def lateness(history: History, people: Sequence[str], since: float, until: float) -> float:
    """Seconds from an acknowledgement to the moment the last of `people` heard of it; the worst of that time."""
    worst = 0.0
    for wish in history.acknowledged("chat_send"):
        if wish.seq is None or wish.settled_at is None or not since <= wish.settled_at <= until:
            continue
        for person in people:
            heard = history.views[person].heard_at.get(wish.seq)
            if heard is not None:
                worst = max(worst, heard - wish.settled_at)
    return worst
