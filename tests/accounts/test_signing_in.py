"""Signing up, in, on and out over REST, in browsers that hold several people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select, update
from yarl import URL

from server.accounts.passwords import Passwords
from server.accounts.tables import SignIn, User
from server.db import Database
from server.events import SignInsEnded
from tests.api import Answer, Api
from tests.factories import World

PASSWORD = "a fine long password"
People = Callable[..., Api]


class Browser:
    """A browser: it keeps cookies and sends them back, like one."""

    def __init__(self, base: str) -> None:
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.base = base

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return await Api(self.session, self.base, None).post(path, body, headers=headers)

    async def signs_in(self, person: str) -> Answer:
        return await self.post("/auth/login", {"email": f"{person}@example.org", "password": PASSWORD})

    def cookies(self) -> dict[str, str]:
        """The refresh cookies held now."""
        url = URL(self.base + "/auth/refresh")
        return {name: morsel.value for name, morsel in self.session.cookie_jar.filter_cookies(url).items()}

    def holds(self, cookies: dict[str, str]) -> None:
        """Put cookies back, as an old tab or a thief has them."""
        self.session.cookie_jar.update_cookies(cookies, URL(self.base + "/auth/refresh"))


@pytest.fixture(scope="session")
def hashed() -> str:
    """PASSWORD, hashed once for the whole run."""
    passwords = Passwords()
    try:
        return passwords._compute(PASSWORD, None) or ""
    finally:
        passwords.close()


@pytest.fixture
async def known(world: World, hashed: str) -> World:
    """The cast, everybody with PASSWORD."""
    async with world.database.work("passwords") as work:
        await work.execute(update(User).values(password_hash=hashed))
    return world


@pytest.fixture
async def browsers(api: People, known: World) -> AsyncIterator[Callable[[], Browser]]:
    """Fresh browsers."""
    opened: list[Browser] = []

    def open_browser() -> Browser:
        opened.append(Browser(api(None).base))
        return opened[-1]

    yield open_browser
    for one in opened:
        await one.session.close()


Browsers = Callable[[], Browser]
Check = Callable[[Answer], Awaitable[None]]


async def me(browser: Browser, answer: Answer) -> Answer:
    """Who the access token of a sign-in answer is."""
    return await Api(browser.session, browser.base, answer.json["access_token"]).get("/auth/me")


async def test_registering_signs_in_and_makes_a_student(browsers: Browsers) -> None:
    tab = browsers()
    answer = await tab.post("/auth/register", {"email": " Fay@Example.org ", "password": PASSWORD, "name": " Fay "})
    assert answer.status == 201
    assert set(answer.json) == {"user", "access_token", "token_type", "expires_in", "sign_in_id"}
    assert answer.json["token_type"] == "Bearer" and answer.json["expires_in"] == 600
    assert (await me(tab, answer)).json == answer.json["user"]
    assert answer.json["user"]["email"] == "fay@example.org"
    assert answer.json["user"]["name"] == "Fay"
    assert answer.json["user"]["role"] == "student"
    again = await tab.post("/auth/register", {"email": "FAY@example.org", "password": PASSWORD, "name": "Fay"})
    assert (again.status, again.code) == (409, "email_taken")


async def test_nobody_makes_themselves_an_instructor(browsers: Browsers) -> None:
    wanted = {"email": "fay@example.org", "password": PASSWORD, "name": "Fay"}
    assert (await browsers().post("/auth/register", wanted | {"role": "expert"})).code == "expert_signup_closed"
    assert (await browsers().post("/auth/register", wanted | {"role": "admin"})).code == "invalid"


async def test_one_address_registered_twice_at_once_is_one_person(browsers: Browsers) -> None:
    wanted = {"email": "fay@example.org", "password": PASSWORD, "name": "Fay"}
    answers = await asyncio.gather(*(browsers().post("/auth/register", wanted) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(browsers: Browsers) -> None:
    tab = browsers()
    wrong = await tab.post("/auth/login", {"email": "bo@example.org", "password": "not this one"})
    unknown = await tab.post("/auth/login", {"email": "nobody@example.org", "password": "not this one"})
    assert wrong.status == unknown.status == 401
    differs = {name for name in wrong.json if wrong.json[name] != unknown.json[name]}
    assert differs <= {"request_id"}
    assert tab.cookies() == {}
    assert (await tab.signs_in("bo")).status == 200


async def test_failures_are_limited_and_successes_are_not(browsers: Browsers) -> None:
    tab = browsers()
    for _ in range(8):
        assert (await browsers().signs_in("bo")).status == 200
    for _ in range(5):
        assert (await tab.post("/auth/login", {"email": "bo@example.org", "password": "wrong one"})).status == 401
    limited = await tab.signs_in("bo")
    assert (limited.status, limited.code) == (429, "rate_limited")
    assert 1 <= int(limited.headers["Retry-After"]) <= 60
    assert (await tab.signs_in("cleo")).status == 200


async def test_the_twenty_first_registration_in_a_minute_waits(browsers: Browsers) -> None:
    tab = browsers()
    for number in range(20):
        answer = await tab.post("/auth/register", {"email": f"p{number}@example.org", "password": "short", "name": "P"})
        assert answer.status == 400
    answer = await tab.post("/auth/register", {"email": "late@example.org", "password": PASSWORD, "name": "P"})
    assert answer.status == 429 and "Retry-After" in answer.headers


async def test_the_cookie_is_as_narrow_as_it_can_be(browsers: Browsers) -> None:
    answer = await browsers().signs_in("bo")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"lectern_refresh_{answer.json['sign_in_id']}=")
    parts = {part.strip() for part in cookie.split(";")[1:]}
    assert {"HttpOnly", "Path=/auth", "SameSite=Strict"} <= parts
    assert "Secure" not in parts


async def test_two_people_share_a_browser(browsers: Browsers) -> None:
    tab = browsers()
    bo, cleo = await tab.signs_in("bo"), await tab.signs_in("cleo")
    ambiguous = await tab.post("/auth/refresh")
    assert (ambiguous.status, ambiguous.code) == (400, "sign_in_ambiguous")
    for signed_in, name in ((bo, "Bo Lindqvist"), (cleo, "Cleo Marchetti")):
        answer = await tab.post("/auth/refresh", {"sign_in_id": str(signed_in.json["sign_in_id"])})
        assert (answer.status, answer.json["user"]["name"]) == (200, name)
    assert (await tab.post("/auth/logout", {"sign_in_id": bo.json["sign_in_id"]})).status == 204
    assert (await me(tab, bo)).status == 401
    answer = await tab.post("/auth/refresh")
    assert answer.json["user"]["name"] == "Cleo Marchetti"


async def test_the_ninth_sign_in_of_a_browser_ends_the_oldest(browsers: Browsers) -> None:
    tab = browsers()
    answers = [await tab.signs_in("bo") for _ in range(9)]
    kept = {f"lectern_refresh_{answer.json['sign_in_id']}" for answer in answers[1:]}
    assert set(tab.cookies()) == kept
    assert (await me(tab, answers[0])).status == 401
    assert (await me(tab, answers[1])).status == 200


async def test_refreshing_rotates_the_cookie_and_keeps_the_sign_in(browsers: Browsers) -> None:
    tab = browsers()
    first = await tab.signs_in("bo")
    before = tab.cookies()
    second = await tab.post("/auth/refresh", {})
    assert second.status == 200
    assert second.json["sign_in_id"] == first.json["sign_in_id"]
    assert tab.cookies() != before and tab.cookies().keys() == before.keys()


async def test_a_lost_answer_is_asked_for_again(browsers: Browsers) -> None:
    tab = browsers()
    await tab.signs_in("bo")
    old = tab.cookies()
    await tab.post("/auth/refresh")
    successor = tab.cookies()
    tab.holds(old)
    assert (await tab.post("/auth/refresh")).status == 200
    assert tab.cookies() == successor


async def test_ten_tabs_refreshing_at_once_get_one_successor(browsers: Browsers) -> None:
    first = browsers()
    await first.signs_in("bo")
    tabs = [browsers() for _ in range(10)]
    for tab in tabs:
        tab.holds(first.cookies())
    answers = await asyncio.gather(*(tab.post("/auth/refresh") for tab in tabs))
    assert [answer.status for answer in answers] == [200] * 10
    assert len({str(tab.cookies()) for tab in tabs}) == 1


async def test_a_token_used_after_its_time_ends_the_whole_family(browsers: Browsers, database: Database) -> None:
    tab, thief = browsers(), browsers()
    answer = await tab.signs_in("bo")
    thief.holds(tab.cookies())
    await tab.post("/auth/refresh")
    await _age(database, answer.json["sign_in_id"], timedelta(seconds=31))
    reused = await thief.post("/auth/refresh")
    assert (reused.status, reused.code) == (401, "unauthenticated")
    assert thief.cookies() == {}
    assert (await tab.post("/auth/refresh")).status == 401
    assert (await me(tab, answer)).status == 401
    async with database.read() as read:
        assert (await read.get(SignIn, answer.json["sign_in_id"])).end_reason == "reuse"  # type: ignore[union-attr]


async def test_the_token_before_the_last_is_already_a_reuse(browsers: Browsers) -> None:
    tab, thief = browsers(), browsers()
    await tab.signs_in("bo")
    thief.holds(tab.cookies())
    await tab.post("/auth/refresh")
    await tab.post("/auth/refresh")
    assert (await thief.post("/auth/refresh")).status == 401
    assert (await tab.post("/auth/refresh")).status == 401


async def test_a_sign_in_unused_for_two_weeks_is_over(browsers: Browsers, database: Database) -> None:
    tab = browsers()
    answer = await tab.signs_in("bo")
    async with database.work("age") as work:
        row = await work.get(SignIn, answer.json["sign_in_id"])
        assert row is not None
        row.expires_at = work.now
    assert (await tab.post("/auth/refresh")).status == 401
    assert tab.cookies() == {}


FORGED_COOKIES = ["", "0.", "0." + "A" * 43, "9" * 5000, "0.\xe4", '"0.x"', "-1." + "A" * 43]


async def test_a_forged_cookie_is_nobody(browsers: Browsers) -> None:
    for cookie in FORGED_COOKIES:
        header = f"lectern_refresh_1={cookie}; lectern_refresh_{'9' * 30}=0.{'A' * 43}; lectern_refresh_x=y"
        answer = await browsers().post("/auth/refresh", {}, Cookie=header)
        assert (answer.status, answer.code) == (401, "unauthenticated"), cookie


async def test_signing_out_everywhere_ends_other_browsers_too(browsers: Browsers) -> None:
    phone, laptop = browsers(), browsers()
    on_phone, on_laptop = await phone.signs_in("bo"), await laptop.signs_in("bo")
    assert (await laptop.post("/auth/logout", {"everywhere": "true"})).status == 204
    assert (await phone.post("/auth/refresh")).status == 401
    for tab, answer in ((phone, on_phone), (laptop, on_laptop)):
        assert (await me(tab, answer)).code == "unauthenticated"


async def test_signing_out_without_a_sign_in_is_fine_but_not_everywhere(browsers: Browsers) -> None:
    assert (await browsers().post("/auth/logout")).status == 204
    assert (await browsers().post("/auth/logout", {"everywhere": True})).status == 401


async def test_a_program_signs_out_with_its_access_token(api: People) -> None:
    bo = api("bo")
    assert (await bo.post("/auth/logout")).status == 204
    assert (await bo.get("/auth/me")).status == 401


async def test_a_strangers_page_cannot_touch_the_cookie(browsers: Browsers) -> None:
    tab = browsers()
    await tab.signs_in("bo")
    before = tab.cookies()
    answer = await tab.post("/auth/refresh", {}, Origin="https://evil.example")
    assert (answer.status, answer.code) == (403, "origin_not_allowed")
    assert tab.cookies() == before


async def test_a_new_password_ends_the_other_sign_ins(browsers: Browsers, api: People) -> None:
    phone, laptop = browsers(), browsers()
    await phone.signs_in("bo")
    here = await laptop.signs_in("bo")
    bo = Api(laptop.session, laptop.base, here.json["access_token"])
    wrong = await bo.post("/auth/password", {"current_password": "no", "new_password": "another fine password"})
    assert (wrong.status, wrong.code) == (403, "wrong_password")
    weak = await bo.post("/auth/password", {"current_password": PASSWORD, "new_password": "password1"})
    assert (weak.status, weak.json["errors"][0]["pointer"]) == (400, "/new_password")
    done = await bo.post("/auth/password", {"current_password": PASSWORD, "new_password": "another fine password"})
    assert done.status == 200 and done.json["name"] == "Bo Lindqvist"
    assert (await phone.post("/auth/refresh")).status == 401
    assert (await laptop.post("/auth/refresh")).status == 200
    assert (await browsers().signs_in("bo")).status == 401


async def test_old_parameters_are_renewed_at_the_next_sign_in(browsers: Browsers, database: Database) -> None:
    from argon2 import PasswordHasher

    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    async with database.work("cheap") as work:
        await work.execute(update(User).where(User.email == "bo@example.org").values(password_hash=cheap))
    assert (await browsers().signs_in("bo")).status == 200
    async with database.read() as read:
        now = await read.scalar(select(User.password_hash).where(User.email == "bo@example.org"))
    assert now != cheap and "m=19456,t=2,p=1" in now
    assert (await browsers().signs_in("bo")).status == 200


async def _age(database: Database, sign_in_id: int, by: timedelta) -> None:
    """As if the last rotation had been earlier."""
    async with database.work("age") as work:
        row = await work.get(SignIn, sign_in_id)
        assert row is not None
        row.rotated_at -= by


async def test_ended_sign_ins_are_told(facts: Any, world: World) -> None:
    from server.accounts import service

    async with world.database.work("end") as work:
        await service.end_sign_ins(work, world.id_of("bo"), "test")
    assert facts.of(SignInsEnded) == [SignInsEnded(world.id_of("bo"), frozenset({world.people["bo"].sign_in_id}))]


BAD_BODIES: list[Any] = [
    {"email": "a\x00@example.org", "password": PASSWORD, "name": "x"},
    {"email": "fay@example.org", "password": "null\x00byte pass", "name": "x"},
    {"email": "fay@example.org", "password": PASSWORD, "name": "\ud800"},
    {"email": "fay@example.org", "password": "\udfff" * 12, "name": "x"},
    {"email": "x" * 100_000, "password": PASSWORD, "name": "x"},
    {"email": "fay@example.org", "password": "x" * 100_000, "name": "x"},
    {"email": "fay@example.org", "password": PASSWORD, "name": "x" * 121},
    {"email": "fay@example.org", "password": PASSWORD, "name": "   "},
    {"email": ["fay@example.org"], "password": PASSWORD, "name": "x"},
    {"email": "fay@example.org", "password": 12345678901234567890, "name": "x"},
    {"email": "fay@example.org", "password": PASSWORD, "name": "x", "invite": "../../etc/passwd\n"},
    {"email": None, "password": None, "name": None},
    {},
]


@pytest.mark.parametrize("path", ["/auth/register", "/auth/login"])
async def test_bad_values_are_answered_and_leave_nothing(browsers: Browsers, path: str) -> None:
    tab = browsers()
    for body in BAD_BODIES:
        answer = await tab.post(path, body)
        assert answer.status in (400, 401), body
        assert answer.json["code"] in ("invalid", "wrong_credentials", "invite_invalid"), body
    assert tab.cookies() == {}


BAD_RAW = [b"{", b"[]", b'"x"', b"NaN", b'{"sign_in_id": NaN}', b"[" * 100_000, b"1" * 5000, b"\xff", b'{"a":' * 70]
BAD_IDS: list[Any] = [0, -1, 2**63, 10**30, "x", 1.5, [1], "1e3"]


async def test_bodies_that_are_no_object_are_refused(api: People) -> None:
    for raw in BAD_RAW:
        for path in ("/auth/refresh", "/auth/login", "/auth/logout"):
            assert (await api(None).post(path, data=raw)).status == 400, raw[:20]


async def test_impossible_sign_in_ids_are_invalid(browsers: Browsers) -> None:
    tab = browsers()
    for sign_in_id in BAD_IDS:
        assert (await tab.post("/auth/refresh", {"sign_in_id": sign_in_id})).code == "invalid", sign_in_id
