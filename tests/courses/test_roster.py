"""The instructor's roster: presence, adding many, inviting addresses nobody has registered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from server.accounts.tables import Invite
from server.accounts.tokens import token_hash
from server.courses import roster
from server.courses.schemas import RosterEntry
from tests.api import Api
from tests.factories import World

People = Callable[[str | None], Api]
ENTRY = set(RosterEntry.model_fields)


def token_in(invite_url: str) -> str:
    return invite_url.partition("#")[2]


async def test_the_roster_names_people_with_their_addresses(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"], tier="premium")
    (line,) = (await api("ana").get(f"/courses/{course.id}/enrollments")).json
    assert set(line) == ENTRY
    who = {"id": world.id_of("bo"), "name": "Bo Lindqvist", "email": "bo@example.org", "avatar_url": None}
    assert line["user"] == who
    assert (line["tier"], line["status"], line["online"], line["in_live_session_id"]) == (
        "premium",
        "active",
        False,
        None,
    )


async def test_presence_is_of_this_course_alone(world: World) -> None:
    class Here:
        async def online(self, user_ids: Any) -> set[int]:
            return {1, 2}

        async def in_rooms(self, user_ids: Any) -> dict[int, int]:
            return {1: 70, 2: 80}

    def entry(user_id: int, status: str = "active") -> RosterEntry:
        user = {"id": user_id, "name": "x", "email": "x@example.org", "avatar_url": None}
        return RosterEntry.model_validate({"user": user, "tier": "standard", "status": status, "enrolled_at": None})

    lines = [entry(1), entry(2), entry(3), entry(1, "revoked")]
    await roster.with_presence(lines, 70, Here())
    assert [line.online for line in lines] == [True, True, False, False]
    assert [line.in_live_session_id for line in lines] == [70, None, None, None]


async def test_a_known_person_is_enrolled_and_named(api: People, world: World) -> None:
    course = await world.course("ana")
    path = f"/courses/{course.id}/enrollments"
    added = await api("ana").post(path, {"email": " BO@Example.org ", "tier": "premium"})
    again = await api("ana").post(path, {"email": "bo@example.org"})
    assert (added.status, again.status) == (201, 200)
    assert added.json["user"]["name"] == "Bo Lindqvist"
    assert again.json["tier"] == "premium"
    assert (await api("ana").post(path, {"email": "bo@example.org", "tier": "standard"})).json["tier"] == "standard"
    assert (await api("ana").post(path, {"email": "ana@example.org"})).code == "own_course"


async def test_an_unknown_address_is_invited_by_a_link_that_stays_the_same(api: People, world: World) -> None:
    course = await world.course("ana")
    path = f"/courses/{course.id}/enrollments"
    invited = await api("ana").post(path, {"email": "New@example.org"})
    again = await api("ana").post(path, {"email": "new@example.org"})
    assert (invited.status, again.status) == (201, 200)
    assert invited.json["status"] == "invited" and invited.json["user"]["email"] == "new@example.org"
    assert invited.json["invite_url"] == again.json["invite_url"]
    assert invited.json["invite_url"].startswith(f"{api(None).base}/app/register#")
    assert len(token_in(invited.json["invite_url"])) == 43
    (line,) = (await api("ana").get(path)).json
    assert line == again.json
    async with world.database.read() as read:
        (row,) = await read.scalars(select(Invite))
    assert row.token_hash == token_hash(token_in(invited.json["invite_url"]))
    assert row.expires_at - row.created_at == timedelta(days=14)


async def test_many_addresses_are_answered_one_by_one(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    emails = [
        "cleo@example.org",
        "BO@example.org",
        "new@example.org",
        "nonsense",
        "ana@example.org",
        "cleo@Example.org",
    ]
    answer = await api("ana").post(f"/courses/{course.id}/enrollments", {"emails": emails})
    assert answer.status == 200
    assert [(line["email"], line["outcome"]) for line in answer.json] == [
        ("cleo@example.org", "enrolled"),
        ("bo@example.org", "already_enrolled"),
        ("new@example.org", "invited"),
        ("nonsense", "invalid"),
        ("ana@example.org", "own_course"),
    ]
    assert answer.json[0]["enrollment"]["user"]["name"] == "Cleo Marchetti"
    again = await api("ana").post(f"/courses/{course.id}/enrollments", {"emails": ["new@example.org"]})
    assert again.json[0]["outcome"] == "already_invited"


async def test_five_hundred_addresses_at_once_twice_at_once(api: People, world: World) -> None:
    course = await world.course("ana")
    path, emails = f"/courses/{course.id}/enrollments", [f"p{n}@example.org" for n in range(500)]
    answers = await asyncio.gather(*(api("ana").post(path, {"emails": emails}) for _ in range(2)))
    assert [answer.status for answer in answers] == [200, 200]
    links = [{line["enrollment"]["invite_url"] for line in answer.json} for answer in answers]
    assert links[0] == links[1] and len(links[0]) == 500
    assert (await api("ana").post(path, {"emails": [*emails, "one@example.org"]})).status == 400


async def test_the_roster_comes_in_pages_people_first(api: People, world: World) -> None:
    course = await world.course("ana", ["bo", "cleo", "eve"])
    invited = [f"n{n}@example.org" for n in range(3)]
    await api("ana").post(f"/courses/{course.id}/enrollments", {"emails": invited})
    for limit in (1, 2, 3, 4, 6, 200):
        seen, path = [], f"/courses/{course.id}/enrollments?limit={limit}"
        while path:
            page = await api("ana").get(path)
            assert len(page.json) <= limit
            seen += [line["user"]["email"] for line in page.json]
            path = page.headers["Link"].partition(">")[0].strip("<") if "Link" in page.headers else ""
        assert seen == ["bo@example.org", "cleo@example.org", "eve@example.org", *invited]


async def test_an_invitation_taken_back_opens_nothing(api: People, world: World) -> None:
    course = await world.course("ana")
    invited = (await api("ana").post(f"/courses/{course.id}/enrollments", {"email": "new@example.org"})).json
    path = f"/courses/{course.id}/invitations/{invited['invitation_id']}"
    other = await world.course("dan")
    assert (await api("dan").delete(f"/courses/{other.id}/invitations/{invited['invitation_id']}")).status == 404
    assert (await api("ana").delete(path)).status == 204
    assert (await api("ana").delete(path)).status == 404
    assert (await api("ana").get(f"/courses/{course.id}/enrollments")).json == []
    answer = await api("bo").post("/invites/accept", {"invite": token_in(invited["invite_url"])})
    assert (answer.status, answer.code) == (400, "invite_invalid")


BAD: list[Any] = [
    {},
    {"email": None},
    {"email": 5},
    {"email": "bo@example.org", "emails": ["cleo@example.org"]},
    {"emails": []},
    {"emails": "bo@example.org"},
    {"emails": ["a"] * 501},
    {"emails": [["bo@example.org"]]},
    {"emails": ["x" * 1001]},
    {"emails": ["\ud800@example.org"]},
    {"email": "bo\x00@example.org"},
    {"email": "nonsense"},
    {"email": "bo@example.org", "tier": "gold"},
]


async def test_bad_values_leave_nothing(api: People, world: World) -> None:
    course = await world.course("ana")
    path = f"/courses/{course.id}/enrollments"
    for body in BAD:
        answer = await api("ana").post(path, body)
        assert (answer.status, answer.code) == (400, "invalid"), body
    assert (await api("ana").get(path)).json == []
    await api("ana").post(path, {"email": "bo@example.org"})
    for body in ({}, {"tier": None}, {"tier": "gold"}, {"tier": ["premium"]}):
        assert (await api("ana").patch(f"{path}/{world.id_of('bo')}", body)).status == 400
