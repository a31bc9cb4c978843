"""Every role and every action, once, in a table people can read; the grants must say the same."""

from __future__ import annotations

import pytest

from server.access import GRANTS, AccountRole, Action, Actor, Role, require, require_admin, require_expert
from server.errors import AdminOnly, ExpertOnly, LecternError, Missing, NotCourseInstructor, NotEnrolled

# action: instructor, student, guest
TABLE = {
    Action.COURSE_VIEW: "yes yes no",
    Action.COURSE_EDIT: "yes no no",
    Action.ROSTER_VIEW: "yes no no",
    Action.ROSTER_EDIT: "yes no no",
    Action.CONTENT_LIST: "yes yes no",
    Action.CONTENT_EDIT: "yes no no",
    Action.CONTENT_WATCH: "yes yes no",
    Action.CONTENT_COMMENT: "yes yes no",
    Action.COMMENT_MODERATE: "yes no no",
    Action.LIVE_SESSION_LIST: "yes yes no",
    Action.LIVE_SESSION_VIEW: "yes yes yes",
    Action.LIVE_SESSION_EDIT: "yes no no",
    Action.LIVE_SESSION_RUN: "yes no no",
    Action.ATTENDANCE_VIEW: "yes no no",
    Action.ROOM_ENTER: "yes yes yes",
    Action.ROOM_CHAT: "yes yes yes",
    Action.ROOM_RAISE_HAND: "no yes yes",
    Action.ROOM_MANAGE_HANDS: "yes no no",
    Action.ROOM_MANAGE_FLOOR: "yes no no",
    Action.ROOM_PUBLISH: "yes no no",
    Action.ROOM_MODERATE: "yes no no",
    Action.ROOM_SET_POLICY: "yes no no",
    Action.ROOM_RUN_POLLS: "yes no no",
    Action.ROOM_ANSWER_POLLS: "yes yes yes",
    Action.ROOM_ASK: "yes yes yes",
}
ROLES = (Role.INSTRUCTOR, Role.STUDENT, Role.GUEST)
CELLS = [(a, r, word == "yes") for a, line in TABLE.items() for r, word in zip(ROLES, line.split(), strict=True)]


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(Action)
    assert set(GRANTS) == set(ROLES)


@pytest.mark.parametrize(("action", "role", "may"), CELLS, ids=lambda value: getattr(value, "value", str(value)))
def test_each_role_may_do_exactly_what_the_table_says(action: Action, role: Role, may: bool) -> None:
    if may:
        require(role, action)
    else:
        with pytest.raises(LecternError) as refused:
            require(role, action)
        assert refused.value.status == 403


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.value)
def test_strangers_learn_nothing_unless_the_thing_is_known(action: Action) -> None:
    with pytest.raises(Missing):
        require(None, action)
    student_may = "yes" in TABLE[action].split()[1]
    with pytest.raises(NotEnrolled if student_may else NotCourseInstructor):
        require(None, action, is_known=True)


@pytest.mark.parametrize(
    ("role", "creates", "administers"), [("student", False, False), ("expert", True, False), ("admin", True, True)]
)
def test_what_a_person_is_decides_what_they_may_create(role: str, creates: bool, administers: bool) -> None:
    actor = Actor(1, "Ana", AccountRole(role), 1, 0)
    for may, check, refusal in ((creates, require_expert, ExpertOnly), (administers, require_admin, AdminOnly)):
        if may:
            check(actor)
        else:
            with pytest.raises(refusal):
                check(actor)
