"""The pure decisions: who may watch, what counts as watched, what a ticket opens, which bytes a range means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.access import Role
from server.content import rules
from server.content.ranges import Wanted, wanted
from server.content.rules import Entitlement, Lesson, Viewer
from server.content.tickets import SHORTEST, Subject, TicketExpired, TicketInvalid, Tickets, expiry_from
from server.errors import LecternError

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PEOPLE = {
    "instructor": Viewer(Role.INSTRUCTOR),
    "standard": Viewer(Role.STUDENT, "standard", 7),
    "premium": Viewer(Role.STUDENT, "premium", 8),
    "stranger": Viewer(None),
    "stranger of a draft": Viewer(None, is_course_published=False),
    "student of a draft": Viewer(Role.STUDENT, "standard", 9, is_course_published=False),
}
# level, preview, then per person: the ticket's revision, or the refusal's code
WHO_MAY_WATCH = [
    ("free", False, 0, 0, 0, 0, "not_found", 0),
    ("free", True, 0, 0, 0, 0, "not_found", 0),
    ("premium", False, 0, "premium_required", 8, "not_enrolled", "not_found", "premium_required"),
    ("premium", True, 0, 0, 0, 0, "not_found", 0),
    ("enrolled_only", False, 0, 7, 8, "not_enrolled", "not_found", 9),
    ("enrolled_only", True, 0, 0, 0, 0, "not_found", 0),
]


@pytest.mark.parametrize("row", WHO_MAY_WATCH, ids=lambda row: f"{row[0]}{' preview' if row[1] else ''}")
def test_who_may_watch_what(row: tuple[object, ...]) -> None:
    lesson = Lesson(str(row[0]), bool(row[1]))
    for (person, viewer), expected in zip(PEOPLE.items(), row[2:], strict=True):
        answer = rules.entitlement(viewer, lesson)
        found = answer.revision if isinstance(answer, Entitlement) else answer.code
        assert found == expected, person


@pytest.mark.parametrize("person", PEOPLE)
def test_only_the_instructor_knows_of_a_lesson_in_the_making(person: str) -> None:
    answer = rules.entitlement(PEOPLE[person], Lesson("free", True, is_completed=False))
    assert isinstance(answer, Entitlement) == (person == "instructor")


def test_the_enrolled_see_a_premium_lesson_that_they_may_not_watch() -> None:
    lesson = Lesson("premium", False)
    assert isinstance(rules.entitlement(PEOPLE["standard"], lesson), LecternError)
    assert rules.sight(PEOPLE["standard"], lesson) == Entitlement(7)
    assert isinstance(rules.sight(PEOPLE["stranger"], lesson), LecternError)


@pytest.mark.parametrize(
    ("known", "new", "merged", "percent"),
    [
        ([], [], [], 0.0),
        ([], [[0, 10]], [[0, 10]], 10.0),
        ([[0, 10]], [[5, 20], [30, 40]], [[0, 20], [30, 40]], 30.0),
        ([[0, 10]], [[10.2, 20]], [[0, 20]], 20.0),
        ([[0, 10]], [[12, 20]], [[0, 10], [12, 20]], 18.0),
        ([], [[40, 30]], [[30, 40]], 10.0),
        ([], [[90, 500]], [[90, 100]], 10.0),
        ([], [[200, 300]], [], 0.0),
        ([[0, 100]], [[3, 4]], [[0, 100]], 100.0),
    ],
)
def test_watched_ranges_are_merged_inside_the_lesson(
    known: list[list[float]], new: list[list[float]], merged: list[list[float]], percent: float
) -> None:
    found = rules.merge_ranges(known, new, 100.0)
    assert found == merged
    assert rules.percent_watched(found, 100.0) == percent


def test_ranges_stay_bounded_in_the_persons_favour() -> None:
    scattered = [[float(i), i + 0.5] for i in range(2000)]
    found = rules.merge_ranges([], scattered, 4000.0)
    assert len(found) == rules.MOST_RANGES
    assert rules.percent_watched(found, 4000.0) >= rules.percent_watched(scattered, 4000.0)


@pytest.mark.parametrize(
    ("played", "minutes_since", "counts"),
    [(9.9, None, False), (10, None, True), (10, 29, False), (10, 30, True), (3, 60, False)],
)
def test_a_view_is_ten_seconds_once_a_half_hour(played: float, minutes_since: int | None, counts: bool) -> None:
    viewed_at = None if minutes_since is None else NOW - timedelta(minutes=minutes_since)
    assert rules.is_view(played, viewed_at, NOW) is counts


@pytest.mark.parametrize(
    ("named", "passed", "since_view", "counted"),
    [
        (100, None, None, 100),
        (10, 10, 0, 10),
        (20, 10, 60, 20),  # at double speed
        (100, 10, 60, 25),
        (5, 0, None, 5),
        (5, 0, 29 * 60, 0),
        (5, 0, 30 * 60, 5),
        (100, 1, 60, 3),
        (100, -3600, 60, 0),  # the clock was set
    ],
)
def test_nobody_watches_more_than_time_passes(
    named: float, passed: float | None, since_view: float | None, counted: float
) -> None:
    gone, viewed = (None if each is None else timedelta(seconds=each) for each in (passed, since_view))
    assert rules.played_seconds([[0, named]], gone, viewed) == counted


class TestTickets:
    tickets = Tickets("k" * 40)
    lesson = Subject("content", 12, "file")

    def sign(self, subject: Subject = lesson) -> str:
        return self.tickets.sign(subject, 5, 3, NOW + timedelta(hours=1))

    def test_a_ticket_says_who_under_which_revision_until_when(self) -> None:
        found = self.tickets.check(self.lesson, self.sign(), NOW)
        assert (found.user_id, found.revision, found.expires_at) == (5, 3, NOW + timedelta(hours=1))

    def test_it_survives_a_restart_and_no_other_key(self) -> None:
        assert Tickets("k" * 40).check(self.lesson, self.sign(), NOW).user_id == 5
        with pytest.raises(TicketInvalid):
            Tickets("l" * 40).check(self.lesson, self.sign(), NOW)

    @pytest.mark.parametrize(
        "other", [Subject("content", 13, "file"), Subject("content", 12, "thumbnail"), Subject("courses", 12, "file")]
    )
    def test_it_opens_nothing_else(self, other: Subject) -> None:
        with pytest.raises(TicketInvalid):
            self.tickets.check(other, self.sign(), NOW)

    def test_it_runs_out(self) -> None:
        self.tickets.check(self.lesson, self.sign(), NOW + timedelta(minutes=59))
        with pytest.raises(TicketExpired):
            self.tickets.check(self.lesson, self.sign(), NOW + timedelta(hours=1))

    @pytest.mark.parametrize("given", ["", "x", "1.2.3", "1.2.3.4.5", "é.1.2.3", "1.2.3." + "A" * 500, "-1.3.z.AAAA"])
    def test_nonsense_is_invalid(self, given: str) -> None:
        with pytest.raises(TicketInvalid):
            self.tickets.check(self.lesson, given, NOW)

    def test_one_changed_letter_is_invalid(self) -> None:
        signed = self.sign()
        for place in range(len(signed)):
            changed = signed[:place] + ("a" if signed[place] != "a" else "b") + signed[place + 1 :]
            with pytest.raises((TicketInvalid, TicketExpired)):
                self.tickets.check(self.lesson, changed, NOW)

    def test_addresses_of_one_half_hour_are_alike_and_last_an_hour_at_least(self) -> None:
        early, late = NOW + timedelta(minutes=1), NOW + timedelta(minutes=29)
        assert expiry_from(early) == expiry_from(late)
        assert expiry_from(late) - late >= SHORTEST


TAG = '"abc"'
BEFORE, AT = "Thu, 01 Jan 1970 00:16:39 GMT", "Thu, 01 Jan 1970 00:16:40 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Wanted(200, 0, 1000)),
        ({"Range": "bytes=0-"}, Wanted(206, 0, 1000)),
        ({"Range": "bytes=0-99"}, Wanted(206, 0, 100)),
        ({"Range": "bytes=900-5000"}, Wanted(206, 900, 100)),
        ({"Range": "bytes=-100"}, Wanted(206, 900, 100)),
        ({"Range": "bytes=-5000"}, Wanted(206, 0, 1000)),
        ({"Range": "bytes=-0"}, Wanted(416)),
        ({"Range": "bytes=1000-"}, Wanted(416)),
        ({"Range": "bytes=0-1,5-6"}, Wanted(200, 0, 1000)),
        ({"Range": "bytes=5-2"}, Wanted(200, 0, 1000)),
        ({"Range": "bytes=-"}, Wanted(200, 0, 1000)),
        ({"Range": "lines=1-2"}, Wanted(200, 0, 1000)),
        ({"Range": f"bytes={'9' * 60}-"}, Wanted(416)),
        ({"Range": f"bytes={'0' * 60}5-{'9' * 5000}"}, Wanted(206, 5, 995)),
        ({"Range": f"bytes={'9' * 60}-{'9' * 59}"}, Wanted(200, 0, 1000)),
        ({"Range": f"bytes=-{'9' * 60}"}, Wanted(206, 0, 1000)),
        ({"Range": "BYTES=0-9 "}, Wanted(206, 0, 10)),
        ({"Range": "bytes=0 - 9"}, Wanted(200, 0, 1000)),
        ({"Range": "bytes=0-\u0669"}, Wanted(200, 0, 1000)),
        ({"Range": "bytes=0-9", "If-Range": TAG}, Wanted(206, 0, 10)),
        ({"Range": "bytes=0-9", "If-Range": '"old"'}, Wanted(200, 0, 1000)),
        ({"Range": "bytes=0-9", "If-Range": f"W/{TAG}"}, Wanted(200, 0, 1000)),
        ({"Range": "bytes=0-9", "If-Range": "Thu, 01 Jan 1970 00:16:40 GMT"}, Wanted(206, 0, 10)),
        ({"Range": "bytes=0-9", "If-Range": "Thu, 01 Jan 1970 00:16:41 GMT"}, Wanted(200, 0, 1000)),
        ({"Range": "bytes=0-9", "If-Range": "nonsense"}, Wanted(200, 0, 1000)),
        ({"If-None-Match": TAG}, Wanted(304)),
        ({"If-None-Match": f'"x", W/{TAG}', "Range": "bytes=0-9"}, Wanted(304)),
        ({"If-None-Match": "*"}, Wanted(304)),
        ({"If-None-Match": '"x"'}, Wanted(200, 0, 1000)),
        ({"If-None-Match": '"x"', "If-Modified-Since": AT}, Wanted(200, 0, 1000)),
        ({"If-Modified-Since": AT, "Range": "bytes=0-9"}, Wanted(304)),
        ({"If-Modified-Since": BEFORE}, Wanted(200, 0, 1000)),
        ({"If-Modified-Since": "yesterday"}, Wanted(200, 0, 1000)),
        ({"If-Match": f'"x", {TAG}', "If-Unmodified-Since": BEFORE}, Wanted(200, 0, 1000)),
        ({"If-Match": f"W/{TAG}"}, Wanted(412)),
        ({"If-Match": "*", "Range": "bytes=0-9"}, Wanted(206, 0, 10)),
        ({"If-Unmodified-Since": AT}, Wanted(200, 0, 1000)),
        ({"If-Unmodified-Since": BEFORE, "If-None-Match": TAG}, Wanted(412)),
        ({"Range": "bytes=0-9", "If-Range": "Mon, 01 Jan 99999 00:00:00 GMT"}, Wanted(200, 0, 1000)),
    ],
)
def test_which_bytes_are_meant(headers: dict[str, str], expected: Wanted) -> None:
    assert wanted(headers, 1000, TAG, 1000.0) == expected
