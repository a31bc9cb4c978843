"""Links that let people in once: the set-up link of an empty server, invitations into a course; and the demo's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy import select, update

from server.accounts import service
from server.accounts.invites import make_setup_link
from server.accounts.tables import Invite, User
from server.accounts.tokens import token_hash
from server.app import build
from server.db import Database
from server.settings import Settings
from tests.api import Answer, Api
from tests.factories import World

People = Callable[[str | None], Api]
LINK = "a-one-click-link-of-the-demo-0123456789abcdef"


async def registers(api: People, name: str, invite: str | None) -> Answer:
    wanted = {"email": f"{name}@example.org", "password": "a fine long password", "name": name, "invite": invite}
    return await api(None).post("/auth/register", wanted)


async def invited(api: People, course_id: int, email: str = "new@example.org", tier: str = "premium") -> str:
    """The token of an invitation that ana sends."""
    answer = await api("ana").post(f"/courses/{course_id}/enrollments", {"email": email, "tier": tier})
    return str(answer.json["invite_url"]).partition("#")[2]


async def test_the_set_up_link_makes_one_instructor(api: People, world: World) -> None:
    async with world.database.work("set-up") as work:
        old, token = await make_setup_link(work), await make_setup_link(work)
    answers = await asyncio.gather(*(registers(api, f"fay{n}", token) for n in range(4)))
    assert sorted(answer.status for answer in answers) == [201, 400, 400, 400]
    made = next(answer for answer in answers if answer.status == 201)
    assert made.json["user"]["role"] == "expert"
    for used in (token, old):
        assert (await registers(api, "gil", used)).code == "invite_invalid"
    async with world.database.read() as read:
        assert len(list(await read.scalars(select(User).where(User.name.like("fay%"))))) == 1


async def test_a_server_knows_whether_it_is_empty(database: Database) -> None:
    async with database.read() as read:
        assert await service.is_empty(read)
    await World.with_cast(database, "a secret of the tests, of forty characters")
    async with database.read() as read:
        assert not await service.is_empty(read)


async def test_an_invitation_registers_and_enrolls_in_one_step(api: People, world: World) -> None:
    course = await world.course("ana", status="draft")
    token = await invited(api, course.id)
    answer = await registers(api, "someone.else", token)
    assert answer.status == 201 and answer.json["user"]["role"] == "student"
    (line,) = (await api("ana").get(f"/courses/{course.id}/enrollments")).json
    assert (line["user"]["email"], line["tier"], line["status"]) == ("someone.else@example.org", "premium", "active")
    assert (await registers(api, "third", token)).code == "invite_invalid"


async def test_an_invitation_into_a_course_makes_no_instructor(api: People, world: World) -> None:
    token = await invited(api, (await world.course("ana")).id)
    wanted = {"email": "fay@example.org", "password": "a fine long password", "name": "Fay", "role": "expert"}
    assert (await api(None).post("/auth/register", wanted | {"invite": token})).code == "expert_signup_closed"
    assert (await registers(api, "fay", token)).json["user"]["role"] == "student"


async def test_registering_the_invited_address_alone_gives_nothing(api: People, world: World) -> None:
    course = await world.course("ana")
    await invited(api, course.id)
    await registers(api, "new", None)
    (line,) = (await api("ana").get(f"/courses/{course.id}/enrollments")).json
    assert line["status"] == "invited"
    await api("ana").post(f"/courses/{course.id}/enrollments", {"email": "new@example.org"})
    (line,) = (await api("ana").get(f"/courses/{course.id}/enrollments")).json
    assert (line["status"], line["user"]["name"]) == ("active", "new")


async def test_a_refused_registration_leaves_the_invitation_usable(api: People, world: World) -> None:
    course = await world.course("ana")
    token = await invited(api, course.id)
    assert (await registers(api, "bo", token)).code == "email_taken"
    assert (await registers(api, "new", token)).status == 201


async def test_known_people_follow_an_invitation_signed_in(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    token = await invited(api, course.id)
    for who in ("ana", "bo"):  # who are in already, and leave it to others
        answer = await api(who).post("/invites/accept", {"invite": token})
        assert (answer.status, answer.json) == (200, {"course_id": course.id})
    assert (await api("cleo").post("/invites/accept", {"invite": token})).json == {"course_id": course.id}
    assert (await api("cleo").get(f"/courses/{course.id}")).json["my_tier"] == "premium"
    assert (await api("eve").post("/invites/accept", {"invite": token})).code == "invite_invalid"
    assert (await api(None).post("/invites/accept", {"invite": token})).status == 401


async def test_one_invitation_raced_for_admits_one(api: People, world: World) -> None:
    course = await world.course("ana")
    token = await invited(api, course.id)
    answers = await asyncio.gather(
        *(api(who).post("/invites/accept", {"invite": token}) for who in ("bo", "cleo", "eve", "dan"))
    )
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400]


async def test_the_revoked_do_not_come_back_by_a_link(api: People, world: World) -> None:
    course = await world.course("ana")
    await world.enroll(course, "bo", status="revoked")
    token = await invited(api, course.id)
    assert (await api("bo").post("/invites/accept", {"invite": token})).code == "enrollment_revoked"
    assert (await api("cleo").post("/invites/accept", {"invite": token})).status == 200


async def test_an_invitation_runs_out(api: People, world: World) -> None:
    course = await world.course("ana")
    token = await invited(api, course.id)
    async with world.database.work("age") as work:
        await work.execute(update(Invite).values(expires_at=work.now - timedelta(seconds=1)))
    assert (await registers(api, "new", token)).code == "invite_invalid"
    assert await invited(api, course.id) != token


async def test_the_demos_links_exist_only_where_they_are_given(api: People) -> None:
    assert (await api(None).post("/auth/link", {"token": LINK})).status == 404


class TestDemo:
    """With a table of links."""

    @pytest.fixture
    async def app(self, settings: Settings, world: World) -> web.Application:
        return build(settings, sign_in_links={token_hash(LINK): world.id_of("bo")})

    async def test_a_link_signs_in_as_often_as_wanted(self, api: People) -> None:
        for _ in range(2):
            answer = await api(None).post("/auth/link", {"token": LINK})
            assert (answer.status, answer.json["user"]["name"]) == (200, "Bo Lindqvist")
        assert (await api(None).post("/auth/link", {"token": LINK + "x"})).code == "link_invalid"


class TestOtherSites:
    """With another site listed, on loopback."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"allowed_origins_given": "https://site.example", "api_prefix": "/api"})

    async def test_the_cookie_travels_across_sites(self, api: People) -> None:
        path, body = "/api/auth/register", {"email": "fay@example.org", "password": "a fine long password", "name": "F"}
        answer = await api(None).post(path, body, headers={"Origin": "https://site.example"})
        assert answer.status == 201
        parts = {part.strip() for part in answer.headers["Set-Cookie"].split(";")[1:]}
        assert {"HttpOnly", "Path=/api/auth", "SameSite=None", "Secure"} <= parts
        assert answer.headers["Access-Control-Allow-Origin"] == "https://site.example"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
