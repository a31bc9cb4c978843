"""One's own account, and the people an administrator sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api import Api
from tests.factories import World

People = Callable[[str | None], Api]


async def test_a_person_changes_their_name_and_picture(api: People) -> None:
    bo = api("bo")
    changed = await bo.patch(
        "/auth/me", {"name": " Bo L. ", "avatar_url": "https://example.org/bo.png", "role": "admin"}
    )
    assert (changed.json["name"], changed.json["avatar_url"]) == ("Bo L.", "https://example.org/bo.png")
    assert changed.json["role"] == "student"
    assert (await bo.patch("/auth/me", {"avatar_url": None})).json["name"] == "Bo L."
    assert (await bo.get("/auth/me")).json["avatar_url"] is None
    bad: list[Any] = [{"name": None}, {"name": ""}, {"avatar_url": "javascript:alert(1)"}, {"avatar_url": 5}]
    for body in bad:
        assert (await bo.patch("/auth/me", body)).code == "invalid", body


async def test_a_lost_update_of_oneself_is_refused(api: People) -> None:
    bo = api("bo")
    tag = (await bo.get("/auth/me")).headers["ETag"]
    assert (await bo.get("/auth/me", headers={"If-None-Match": tag})).status == 304
    assert (await bo.patch("/auth/me", {"name": "One"}, headers={"If-Match": tag})).status == 200
    assert (await bo.patch("/auth/me", {"name": "Two"}, headers={"If-Match": tag})).status == 412


async def test_only_administrators_see_people(api: People) -> None:
    for who, status in ((None, 401), ("bo", 403), ("ana", 403), ("root", 200)):
        assert (await api(who).get("/users")).status == status
        assert (await api(who).patch("/users/999999", data=b"{")).status == (404 if status == 200 else status)
    assert (await api("bo").get("/users")).code == "admin_only"


async def test_people_are_found_and_come_in_pages(api: People) -> None:
    first = await api("root").get("/users?limit=4")
    rest = await api("root").get(first.headers["Link"].partition(">")[0].strip("<"))
    assert [len(first.json), len(rest.json)] == [4, 2]
    assert set(first.json[0]) == {"id", "email", "name", "role", "avatar_url", "created_at", "disabled"}
    assert [user["name"] for user in (await api("root").get("/users?query=LIND")).json] == ["Bo Lindqvist"]
    assert (await api("root").get("/users?query=%25")).json == []
    assert (await api("root").get("/users?query=%00")).status == 400


async def test_a_new_role_counts_at_once(api: People, world: World) -> None:
    assert (await api("bo").post("/courses", {"title": "Mine"})).code == "expert_only"
    answer = await api("root").patch(f"/users/{world.id_of('bo')}", {"role": "expert"})
    assert answer.json["role"] == "expert"
    assert (await api("bo").post("/courses", {"title": "Mine"})).status == 201
    assert (await api("root").patch(f"/users/{world.id_of('bo')}", {"role": "king"})).code == "invalid"


async def test_a_disabled_person_is_out_at_once_and_may_be_let_in_again(api: People, world: World) -> None:
    assert (await api("bo").get("/auth/me")).status == 200
    path = f"/users/{world.id_of('bo')}"
    assert (await api("root").patch(path, {"disabled": "true"})).json["disabled"] is True
    assert (await api("bo").get("/auth/me")).code == "unauthenticated"
    assert (await api("root").patch(path, {"disabled": False})).json["disabled"] is False
    assert (await api("bo").get("/auth/me")).status == 401  # the old sign-in stays ended


async def test_administrators_change_each_other_never_themselves(api: People, world: World) -> None:
    answer = await api("root").patch(f"/users/{world.id_of('root')}", {"role": "student"})
    assert (answer.status, answer.code) == (409, "own_account")


async def test_a_token_in_any_other_place_or_form_is_none(api: People, world: World) -> None:
    token = world.token("bo")
    for header in (
        "",
        token,
        f"Basic {token}",
        f"Bearer {token} x",
        "Bearer",
        "Bearer ",
        "Bearer null",
        "Bearer " + "x" * 7000,
    ):
        answer = await api(None).get("/auth/me", headers={"Authorization": header})
        assert (answer.status, answer.code) == (401, "unauthenticated"), header
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (await api(None).get(f"/auth/me?access_token={token}")).status == 401
    assert (await api(None).get("/auth/me", headers={"Authorization": f"bearer  {token}"})).status == 200
