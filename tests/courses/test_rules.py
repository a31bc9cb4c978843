"""Who is what to a course, and what enrolling alone comes to."""

from __future__ import annotations

import pytest

from server.access import Role
from server.courses.rules import EnrollmentRevoked, OwnCourse, is_known_to_all, may_enter_alone, role_in

ANA, BO = 1, 2


@pytest.mark.parametrize(
    ("person", "status", "role"),
    [
        (ANA, None, Role.INSTRUCTOR),
        (ANA, "revoked", Role.INSTRUCTOR),
        (BO, "active", Role.STUDENT),
        (BO, "left", None),
        (BO, "revoked", None),
        (BO, None, None),
    ],
)
def test_a_role_follows_from_owning_and_enrolling(person: int, status: str | None, role: Role | None) -> None:
    assert role_in(ANA, status, person) is role


@pytest.mark.parametrize(("status", "is_known"), [("published", True), ("draft", False), ("archived", False)])
def test_only_published_courses_are_known_to_strangers(status: str, is_known: bool) -> None:
    assert is_known_to_all(status) is is_known


@pytest.mark.parametrize(("status", "changes"), [(None, True), ("left", True), ("active", False)])
def test_leaving_does_not_count_against_anybody(status: str | None, changes: bool) -> None:
    assert may_enter_alone(ANA, status, BO) is changes


def test_the_revoked_and_the_instructor_do_not_enroll() -> None:
    with pytest.raises(EnrollmentRevoked):
        may_enter_alone(ANA, "revoked", BO)
    with pytest.raises(OwnCourse):
        may_enter_alone(ANA, None, ANA)
