"""Actor, Role, Action, the grants table and require(): every "may they?" is answered here.

A role is someone's relation to one thing (a course, a live session), never a property of the person; what the person
is (student, expert, admin) only decides what they may create. Roles come from ownership and enrollment on every call.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from server.errors import AdminOnly, ExpertOnly, Missing, NotAllowed, NotCourseInstructor, NotEnrolled


class AccountRole(str, Enum):
    STUDENT = "student"
    EXPERT = "expert"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking: one person through one sign-in. `token_expires_at` is Unix seconds."""

    id: int
    name: str
    role: AccountRole
    sign_in_id: int
    token_expires_at: int
    avatar_url: str | None = None

    @property
    def is_expert(self) -> bool:
        return self.role in (AccountRole.EXPERT, AccountRole.ADMIN)


class Role(str, Enum):
    """Someone's relation to one course or live session; nobody in particular is None."""

    INSTRUCTOR = "instructor"
    STUDENT = "student"
    GUEST = "guest"


class Action(Enum):
    COURSE_VIEW = "course:view"
    COURSE_EDIT = "course:edit"
    ROSTER_VIEW = "roster:view"
    ROSTER_EDIT = "roster:edit"
    CONTENT_LIST = "content:list"
    CONTENT_EDIT = "content:edit"
    CONTENT_WATCH = "content:watch"
    CONTENT_COMMENT = "content:comment"
    COMMENT_MODERATE = "comment:moderate"
    LIVE_SESSION_LIST = "live_session:list"
    LIVE_SESSION_VIEW = "live_session:view"
    LIVE_SESSION_EDIT = "live_session:edit"
    LIVE_SESSION_RUN = "live_session:run"
    ATTENDANCE_VIEW = "attendance:view"
    ROOM_ENTER = "room:enter"
    ROOM_CHAT = "room:chat"
    ROOM_RAISE_HAND = "room:raise_hand"
    ROOM_MANAGE_HANDS = "room:manage_hands"
    ROOM_MANAGE_FLOOR = "room:manage_floor"
    ROOM_PUBLISH = "room:publish"
    ROOM_MODERATE = "room:moderate"
    ROOM_SET_POLICY = "room:set_policy"
    ROOM_RUN_POLLS = "room:run_polls"
    ROOM_ANSWER_POLLS = "room:answer_polls"
    ROOM_ASK = "room:ask"


_STUDENT = frozenset(
    {
        Action.COURSE_VIEW,
        Action.CONTENT_LIST,
        Action.CONTENT_WATCH,
        Action.CONTENT_COMMENT,
        Action.LIVE_SESSION_LIST,
        Action.LIVE_SESSION_VIEW,
        Action.ROOM_ENTER,
        Action.ROOM_CHAT,
        Action.ROOM_RAISE_HAND,
        Action.ROOM_ANSWER_POLLS,
        Action.ROOM_ASK,
    }
)
GRANTS: dict[Role, frozenset[Action]] = {
    Role.INSTRUCTOR: frozenset(Action) - {Action.ROOM_RAISE_HAND},
    Role.STUDENT: _STUDENT,
    Role.GUEST: frozenset(
        {
            Action.LIVE_SESSION_VIEW,
            Action.ROOM_ENTER,
            Action.ROOM_CHAT,
            Action.ROOM_RAISE_HAND,
            Action.ROOM_ANSWER_POLLS,
            Action.ROOM_ASK,
        }
    ),
}


def require(role: Role | None, action: Action, *, is_known: bool = False) -> None:
    """Let pass or refuse.

    Raises Missing for somebody without a role, who must not learn that the thing exists; with `is_known` (a published
    course is known to everyone) NotEnrolled, or NotCourseInstructor where enrolling would not help. Raises
    NotCourseInstructor or NotAllowed for a member who may not.
    """
    if role is None:
        if is_known:
            raise NotEnrolled() if action in _STUDENT else NotCourseInstructor()
        raise Missing()
    if action not in GRANTS[role]:
        raise NotCourseInstructor() if action in GRANTS[Role.INSTRUCTOR] else NotAllowed()


def require_expert(actor: Actor) -> None:
    """Raises ExpertOnly for a person who may not create courses or sessions."""
    if not actor.is_expert:
        raise ExpertOnly()


def require_admin(actor: Actor) -> None:
    """Raises AdminOnly for everybody but administrators."""
    if actor.role is not AccountRole.ADMIN:
        raise AdminOnly()
