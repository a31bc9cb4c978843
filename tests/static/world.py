"""What the server would say to the pages' tests: a small world with as many things, and as long names, as wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.static.pages import LONG_NAME

Answers = dict[tuple[str, str], tuple[int, Any]]
NOW = datetime.now(UTC).replace(microsecond=0)


def at(**ago: float) -> str:
    """A moment this long ago, as the server writes it."""
    return (NOW - timedelta(**ago)).isoformat().replace("+00:00", "Z")


def person(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "name": name, "avatar_url": None}


def names(count: int, long: bool) -> list[str]:
    some = ["Bo Lindqvist", "Cleo Marchetti", "Dana Okafor", "Emil Novák", "Fatou Diallo", "Goran Petrić"]
    return [LONG_NAME if long else f"{some[n % 6]}{f' {n}' if n >= 6 else ''}" for n in range(count)]


def session(number: int, status: str, role: str, long: bool = False) -> dict[str, Any]:
    return {
        "id": number,
        "course_id": 1,
        "course_title": "Waves and Light",
        "description": "",
        "title": LONG_NAME
        if long
        else ["Interference, live", "Questions before the test", "Standing waves"][number % 3],
        "status": status,
        "duration_minutes": 60,
        "max_participants": None,
        "join_url": "/app/sessions/1",
        "my_role": role,
        "scheduled_at": at(hours=-26) if status == "scheduled" else at(days=2),
        "started_at": at(minutes=7) if status == "live" else at(days=2) if status == "ended" else None,
        "ended_at": at(days=1.96) if status == "ended" else None,
        "host": person(1, "Ana Ferreira"),
        "participant_count": 12,
        "invited_count": 24,
    }


def course(number: int, role: str | None, long: bool = False, live: bool = False) -> dict[str, Any]:
    titles = ["Waves and Light", "Reading Old Maps", "Statistics for the Curious", "The Sound of Languages"]
    return {
        "id": number,
        "title": LONG_NAME if long else titles[(number - 1) % 4],
        "category": "Physics",
        "status": "published" if number % 3 else "draft",
        "description": "What light does when nobody looks, and how we know. Ten weeks, one experiment each.",
        "thumbnail_url": None,
        "instructor": {"id": 1, "name": LONG_NAME if long else "Ana Ferreira"},
        "enrollment_count": 24,
        "content_count": 8,
        "live_session": session(1, "live", role or "student") if live and role else None,
        "my_role": role,
        "my_tier": "standard" if role == "student" else None,
        "created_at": at(days=40),
        "updated_at": at(days=1),
        "last_activity_at": at(days=1),
        "progress": {"completed_count": 3, "content_count": 8, "percent": 42.0},
        "enrolled_at": at(days=30),
    }


def content(number: int, long: bool = False) -> dict[str, Any]:
    status = {3: "processing", 5: "failed"}.get(number, "completed")
    titles = [
        "What a wave is",
        "Two slits",
        "Colour, measured",
        "Polarised light",
        "Questions from week one",
        "The speed of light in a kitchen",
    ]
    return {
        "id": number,
        "course_id": 1,
        "title": LONG_NAME if long else titles[(number - 1) % 6],
        "description": "With a ripple tank and a lamp.",
        "content_type": "audio" if number == 4 else "video",
        "file_url": "/media/v?t=x" if status == "completed" else None,
        "file_name": "a.mp4",
        "file_size": 1000,
        "mime_type": "video/mp4",
        "duration_seconds": 754.0 if status == "completed" else None,
        "thumbnail_url": None,
        "upload_status": status,
        "error_code": "content_mismatch" if status == "failed" else None,
        "content_order": number,
        "is_preview": number == 1,
        "access_level": "premium" if number == 6 else "enrolled_only",
        "view_count": 31,
        "like_count": 5,
        "comment_count": 3,
        "liked": False,
        "reactions": {"like": 3, "love": 1, "insightful": 1, "confused": 0},
        "my_reaction": None,
        "captions": [{"lang": "en", "label": "English", "url": "/media/c?t=x"}] if number == 1 else [],
        "seek_preview": None,
        "created_by": 1,
        "created_at": at(days=9),
        "updated_at": at(days=9),
        "my_progress": {
            "position_seconds": 245.0,
            "watched": [[0, 245]],
            "percent": 33.0,
            "completed": number == 2,
            "revision": 4,
        },
    }


def analytics(count: int, long: bool) -> dict[str, Any]:
    """Of a course with so many lessons; of its first lesson when asked for that."""
    totals = {
        **{"views": 31 * count, "unique_viewers": 12, "watch_seconds": 5210.0, "completed_count": 4},
        **{"completion_percent": 33.3, "average_percent": 57.5, "like_count": 5, "comment_count": 3},
        "reactions": {"like": 3, "love": 1, "insightful": 1, "confused": 0},
    }
    about = {"content_type": "video", "duration_seconds": 754.0}
    days = [
        {
            **{"day": (NOW - timedelta(days=29 - n)).date().isoformat(), "views": n % 5, "viewers": n % 3},
            **{"watch_seconds": 300.0 * (n % 7), "comments": n % 2, "reactions": 0},
        }
        for n in range(30)
    ]
    whole = {**totals, "enrollment_count": 24, "live_session_count": count, "attended_seconds": 86_400.0}
    return {
        **{"course_id": 1, "content_id": 1, "title": LONG_NAME if long else "Waves and Light", "days": days},
        **{"duration_seconds": 754.0, "totals": whole},
        "content": [{**totals, **about, "content_id": n + 1, "title": content(n + 1, long)["title"]} for n in range(count)],
        "retention": {"seconds_per_bucket": 2.0, "viewers": [12.0 - n / 40 for n in range(377)] if count else []},
        "attendance": [
            {
                **{"live_session_id": n + 1, "title": session(n, "ended", "instructor", long)["title"], "status": "ended"},
                **{"started_at": at(days=n + 1), "ended_at": at(days=n), "attended_count": n % 9, "total_seconds": 9000.0},
            }
            for n in range(count)
        ],
    }


def comments(count: int, long: bool) -> list[dict[str, Any]]:
    said = [
        "Here the screen should show the second maximum, I think?",
        "It helps to pause and count the fringes.",
        "Yes! That took me a while.",
    ]
    return [
        {
            "id": n + 1,
            "user": person(n + 2, name),
            "body": said[n % 3],
            "at_seconds": None if n % 3 == 2 else 60.0 * (n % 12),
            "parent_id": 1 if n == 2 else None,
            "created_at": at(hours=n + 1),
            "edited_at": None,
        }
        for n, name in enumerate(names(count, long))
    ]


def notifications(count: int, long: bool) -> list[dict[str, Any]]:
    kinds = ["live_session_started", "content_added", "live_session_scheduled", "enrollment_added", "comment_reply"]
    titles = [
        "Interference, live has started",
        "New lesson: Two slits",
        "Planned: Questions before the test",
        "You were added to Waves and Light",
        "Cleo answered you",
    ]
    return [
        {
            "id": n + 1,
            "type": kinds[n % 5],
            "title": LONG_NAME if long else titles[n % 5],
            "body": "Waves and Light",
            "data": {"url": "/app/sessions/1", "course_id": 1},
            "created_at": at(minutes=3 + 400 * n),
            "read_at": None if n < 2 else at(minutes=1),
        }
        for n in range(count)
    ]


def answers(role: str = "expert", count: int = 6, long: bool = False) -> Answers:
    """Everything the pages ask for, by somebody of this role, with `count` of each thing."""
    mine = "instructor" if role == "expert" else "student"
    me = {
        "id": 1 if role == "expert" else 2,
        "email": "ana@example.org",
        "name": LONG_NAME if long else "Ana Ferreira" if role == "expert" else "Bo Lindqvist",
        "role": role,
        "avatar_url": None,
    }
    sessions = [
        session(n + 1, "live" if n == 0 else "scheduled" if n < 4 else "ended", mine, long) for n in range(count)
    ]
    roster = [
        {
            "user": {**person(n + 2, name), "email": f"person{n}@example.org"},
            "tier": "premium" if n % 4 == 1 else "standard",
            "status": "invited" if n == 4 else "active",
            "enrolled_at": at(days=20),
            "online": n % 3 == 0,
            "in_live_session_id": None,
            "invite_url": "/app/register#x" if n == 4 else None,
        }
        for n, name in enumerate(names(count, long))
    ]
    attendance = [
        {
            "user": person(n + 2, name),
            "total_seconds": 0 if n == 3 else 2700 - 60 * (n % 20),
            "first_joined_at": None,
            "last_left_at": None,
            "intervals": []
            if n == 3
            else [
                {"joined_at": at(days=2), "left_at": at(days=1.99)},
                {"joined_at": at(days=1.985), "left_at": at(days=1.96)},
            ],
        }
        for n, name in enumerate(names(count, long))
    ]
    ok: dict[str, Any] = {
        "GET /notifications/unread-count": {"unread": 2 if count else 0, "count": count},
        "GET /notifications": notifications(count, long),
        "GET /courses": [course(n + 1, [mine, None][n % 2], long) for n in range(count)],
        "GET /courses/instructor/my-courses": [course(n + 1, "instructor", long, live=n == 0) for n in range(count)],
        "GET /courses/student/my-courses": []
        if role == "expert"
        else [course(n + 1, "student", long, live=n == 0) for n in range(count)],
        "GET /courses/1": course(1, mine, long, live=count > 0),
        "GET /courses/1/content": [content(n + 1, long) for n in range(count)],
        "GET /courses/1/sessions": sessions,
        "GET /courses/1/enrollments": roster,
        "GET /live-sessions/mine": sessions,
        "GET /live-sessions/5": session(5, "ended", mine, long),
        "GET /live-sessions/5/attendance": attendance,
        "GET /content/1": content(1, long),
        "GET /content/1/analytics": analytics(count, long),
        "GET /courses/1/analytics": analytics(count, long),
        "GET /content/1/comments": comments(count, long),
        "PUT /content/1/progress": {
            "position_seconds": 245.0,
            "watched": [[0, 245]],
            "percent": 33.0,
            "completed": False,
            "revision": 5,
        },
        "PATCH /notifications/1/read": {},
    }
    signed_in = {"user": me, "access_token": "t", "token_type": "Bearer", "expires_in": 600, "sign_in_id": 1}
    found: Answers = {
        (method, path): (200, body) for (method, path), body in ((key.split(" "), body) for key, body in ok.items())
    }
    found["POST", "/auth/refresh"] = found["POST", "/auth/login"] = found["POST", "/auth/link"] = (200, signed_in)
    found["GET", "/media/v"] = found["GET", "/media/c"] = (404, {})
    found["POST", "/content/1/ticket"] = (
        200,
        {"url": "/media/v?t=y", "thumbnail_url": None, "expires_at": at(hours=-1)},
    )
    return found
