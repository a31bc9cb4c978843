"""Who a tab is, from the sign-in page on; getting about by keyboard; files that go nowhere and files that go."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FilePayload, expect

from tests.static.pages import WIDE, Pages
from tests.static.world import answers

pytestmark = pytest.mark.browser
Tab = Callable[..., Pages]

MP4 = b"\0\0\0\x18ftypisom" + b"\0" * 60_000
EXPIRED = (401, {"code": "token_expired", "detail": "Sign in again."})


def signed_in_as(number: int, name: str, role: str) -> tuple[int, dict[str, Any]]:
    user = {"id": number, "email": f"p{number}@example.org", "name": name, "role": role, "avatar_url": None}
    granted = {"access_token": "t", "token_type": "Bearer", "expires_in": 600, "sign_in_id": number}
    return 200, {"user": user, **granted}


def test_one_click_link_signs_in_and_leaves_the_address_bar(tab: Tab) -> None:
    pages = tab(signed_in=False)
    page = pages.open("/app/sign-in#a-secret-nobody-else-knows")
    expect(page).to_have_url(re.compile("/app/courses$"))
    expect(page.locator(".account-name")).to_have_text("Ana Ferreira")
    assert ("POST", "/auth/link", '{"token":"a-secret-nobody-else-knows"}') in pages.asked
    page.go_back()
    assert "secret" not in page.url


def test_two_people_side_by_side_stay_who_they_are_after_a_reload(tab: Tab) -> None:
    pages = tab(signed_in=False)
    first = pages.page
    pages.answers["POST", "/auth/link"] = signed_in_as(1, "Ana Ferreira", "expert")
    pages.open("/app/sign-in#one")
    expect(first.locator(".account")).to_contain_text("Instructor")
    pages.answers["POST", "/auth/link"] = signed_in_as(2, "Bo Lindqvist", "student")
    second = pages.context.new_page()
    second.goto(f"{pages.origin}/app/sign-in#two")
    expect(second.locator(".account")).to_contain_text("Student")
    asked = len(pages.asked)
    first.reload()
    expect(first.locator(".account")).to_be_visible()
    second.reload()
    expect(second.locator(".account")).to_be_visible()
    refreshed = [body for method, path, body in pages.asked[asked:] if path == "/auth/refresh"]
    assert refreshed == ['{"sign_in_id":"1"}', '{"sign_in_id":"2"}']


def test_an_expired_sign_in_says_why_and_returns_to_the_page(tab: Tab) -> None:
    said = answers()
    pages = tab({**said, ("POST", "/auth/refresh"): EXPIRED})
    page = pages.open("/app/courses/1")
    expect(page.get_by_text("Your sign-in has run out")).to_be_visible()
    page.get_by_label("E-mail").fill("ana@example.org")
    page.get_by_label("Password").fill("a long enough one")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/app/courses/1$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Waves and Light")


def test_a_wrong_password_is_said_in_words(tab: Tab) -> None:
    pages = tab(signed_in=False)
    wrong = {"code": "unauthenticated", "detail": "E-mail and password do not match."}
    pages.answers["POST", "/auth/login"] = (401, wrong)
    page = pages.open("/app/sign-in")
    page.get_by_label("E-mail").fill("ana@example.org")
    page.get_by_label("Password").fill("not this one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("E-mail and password do not match.")
    expect(page.get_by_label("E-mail")).to_have_value("ana@example.org")


def test_pages_are_reached_by_keyboard_and_announce_themselves(tab: Tab) -> None:
    pages = tab(viewport=WIDE)
    page = pages.open("/app/courses")
    expect(page.locator("main h2#taught")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Catalog").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Catalog")).to_be_focused()
    expect(page).to_have_title("Catalog · Lectern")
    page.get_by_role("button", name=re.compile("Ana Ferreira")).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.locator(".toast-list").evaluate(  # a message that came while the menu is open
        "(list) => list.insertAdjacentHTML('beforeend', '<li class=\"toast\"><p>' + 'Long<br>'.repeat(20) + '</p></li>')"
    )
    page.get_by_role("button", name="Sign out").click(trial=True, timeout=5000)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("Ana Ferreira"))).to_be_focused()


def test_a_chosen_scheme_holds_after_a_reload(tab: Tab) -> None:
    page = tab(viewport=WIDE, color_scheme="light").open("/app/courses")
    page.get_by_role("button", name=re.compile("Ana Ferreira")).click()
    page.get_by_label("Dark").check(force=True)
    page.reload()
    expect(page.locator(".header")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_a_wrong_file_is_refused_before_anything_is_sent(tab: Tab) -> None:
    pages = tab()
    page = pages.open("/app/manage/1/video")
    page.locator("input[type=file]").set_input_files(
        FilePayload(name="film.mp4", mimeType="video/mp4", buffer=b"%PDF-1.7 no")
    )
    expect(page.get_by_role("alert").get_by_text("something else is inside")).to_be_visible()
    expect(page.get_by_role("button", name="Upload", exact=True)).to_be_disabled()
    assert not [path for _, path, _ in pages.asked if "/courses/uploads" in path]


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (413, {"code": "too_large", "detail": "Video files may have at most 500 MB."}, "at most 500 MB"),
        (507, {"code": "no_room", "detail": "There is no room left on the server."}, "no room left"),
        (503, {"code": "away", "detail": "Not right now."}, "going on as soon as it is back"),
        (0, None, "going on as soon as it is back"),
    ],
)
def test_an_upload_says_how_it_went(tab: Tab, status: int, body: Any, says: str) -> None:
    pages = tab()
    pages.answers["POST", "/courses/uploads"] = (status, body)
    page = pages.open("/app/manage/1/video")
    page.locator("input[type=file]").set_input_files(
        FilePayload(name="two_slits.mp4", mimeType="video/mp4", buffer=MP4)
    )
    expect(page.get_by_label("Title")).to_have_value("Two slits")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator(".upload")).to_contain_text(says)
    expect(page.get_by_label("Title")).to_have_value("")
