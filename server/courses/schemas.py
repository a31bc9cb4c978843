"""Courses and enrollments as they cross the wire."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, StringConstraints, model_validator
from typing_extensions import TypedDict

from server.live_sessions.schemas import LiveSessionShown
from server.wire import LongText, Moment, Storable, Title, Wire

MOST_ADDRESSES = 500
LONGEST_ADDRESS = 1000  # longer than any address: one bad line of a pasted list is answered, not refused whole


def _none_if_empty(value: str | None) -> str | None:
    return value or None


Status = Literal["draft", "published", "archived"]
Outcome = Literal["enrolled", "already_enrolled", "invited", "already_invited", "own_course", "invalid"]
TierName = Literal["standard", "premium"]
Category = Annotated[Storable, StringConstraints(strip_whitespace=True, max_length=80)]
OptionalCategory = Annotated[Category | None, AfterValidator(_none_if_empty)]
Address = Annotated[Storable, StringConstraints(strip_whitespace=True, max_length=LONGEST_ADDRESS)]


class CoursesAsked(Wire):
    """`query` is part of a title, a description, a category or an instructor's name."""

    query: Annotated[Storable, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    category: Category = ""


class NewCourse(Wire):
    title: Title
    description: LongText = ""
    category: OptionalCategory = None
    status: Literal["draft", "published"] = "draft"


class CourseChanges(Wire):
    """Only what is sent changes; only `category` may be null."""

    title: Title = ""
    description: LongText = ""
    category: OptionalCategory = None
    status: Status = "draft"


class InstructorShown(Wire):
    id: int
    name: str


class CourseShown(Wire):
    """A course as the caller may see it; `live_session` is the class that is live now, for members."""

    id: int
    title: str
    description: str
    category: str | None
    status: Status
    thumbnail_url: str | None
    instructor: InstructorShown
    enrollment_count: int
    content_count: int
    live_session: LiveSessionShown | None
    my_role: Literal["instructor", "student"] | None
    my_tier: TierName | None
    created_at: Moment
    updated_at: Moment
    _etag: str = PrivateAttr("")


class CourseTaught(TypedDict):
    """A course in its instructor's list: as above. A thousand are shown at once, so it is a mapping, not an object."""

    id: int
    title: str
    description: str
    category: str | None
    status: Status
    thumbnail_url: str | None
    instructor: InstructorShown
    enrollment_count: int
    content_count: int
    live_session: LiveSessionShown | None
    my_role: Literal["instructor"]
    my_tier: None
    created_at: Moment
    updated_at: Moment
    last_activity_at: Moment


class ProgressShown(Wire):
    """How far a student is: lessons completed of those there are, and the mean of their percentages."""

    completed_count: int
    content_count: int
    percent: float


class CourseStudied(CourseShown):
    """A course in a student's list."""

    enrolled_at: Moment
    progress: ProgressShown


class EnrollmentShown(Wire):
    """One's own place in a course."""

    course_id: int
    user_id: int
    tier: TierName
    status: Literal["active", "left", "revoked"]
    enrolled_at: Moment


class RosterPerson(Wire):
    """`id` and `name` are null while an address is only invited."""

    id: int | None
    name: str | None
    email: str
    avatar_url: str | None


class RosterEntry(Wire):
    """A line of the roster. Invited addresses carry their link, for the instructor to send."""

    user: RosterPerson
    tier: TierName
    status: Literal["active", "invited", "revoked"]
    enrolled_at: Moment | None
    online: bool = False
    in_live_session_id: int | None = None
    invite_url: str | None = None
    invitation_id: int | None = None
    expires_at: Moment | None = None


class AddedShown(Wire):
    """What became of one address of many; `enrollment` is the person to check, or the invitation."""

    email: str
    outcome: Outcome
    enrollment: RosterEntry | None = None


class NewEnrollments(Wire):
    """One `email`, or up to 500 `emails`; `tier` is left as it is for those who are enrolled, unless sent."""

    email: Address | None = None
    emails: Annotated[list[Address], Field(min_length=1, max_length=MOST_ADDRESSES)] | None = None
    tier: TierName | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.email is None) == (self.emails is None):
            raise ValueError("send either email or emails")
        return self


class TierChange(Wire):
    tier: TierName
