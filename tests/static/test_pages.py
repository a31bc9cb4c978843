"""Every page in every state: empty, one, two hundred, long names, late, failed; wide and narrow, light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.static.pages import NARROW, ROOT, WIDE, Pages
from tests.static.world import answers

Tab = Callable[..., Pages]

pytestmark = pytest.mark.browser

LISTS = {
    "/app/courses": "main h2#taught",
    "/app/catalog": ".search",
    "/app/courses/1": ".tabs",
    "/app/courses/1/sessions": "h2#sessions",
    "/app/courses/1/people": "h2#people",
    "/app/content/1": ".player",
    "/app/content/1/analytics": ".figures-row",
    "/app/courses/1/analytics": "h2#analytics",
    "/app/sessions": "h1",
    "/app/sessions/5/attendance": "h1",
    "/app/notifications": "h1",
    "/app/manage": "h1",
}
FORMS = {
    "/app/courses/new": "main form",
    "/app/courses/1/settings": "h2#visible",
    "/app/manage/1/live": "main form, main .button.live",
    "/app/manage/1/schedule": "main form",
    "/app/manage/1/video": "main form",
}
DOORS = {"/app/sign-in": "form", "/app/register": "form"}
PAGES = LISTS | FORMS | DOORS

MOST_SHIFT = 0.05
RAW = re.compile(r"\d{4}-\d\d-\d\dT|\bundefined\b|\bNaN\b|\[object|\bnull\b|\{\"|\b[a-z]+_[a-z_]+\b|\bInvalid Date\b")
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()


def settled(page: Page, mark: str) -> None:
    expect(page.locator(mark).first).to_be_visible()
    expect(page.locator(".skeleton:not(.cover)")).to_have_count(0)


def words(page: Page) -> str:
    return page.locator("body").inner_text()


@pytest.mark.parametrize(
    ("path", "count"), [(path, count) for path in LISTS for count in (0, 1, 200)] + [(path, 200) for path in FORMS]
)
def test_page_is_right_with_none_one_and_two_hundred(tab: Tab, path: str, count: int) -> None:
    pages = tab(answers(count=count, long=count > 0))
    pages.hold()
    page = pages.open(path)
    expect(page.locator(".skeleton, form").first).to_be_visible()
    pages.release()
    settled(page, PAGES[path])
    assert pages.shift() < MOST_SHIFT
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not RAW.findall(words(page)), "a code, a UTC time or a missing value is shown"
    assert (pages.faults, pages.unanswered) == ([], [])


@pytest.mark.parametrize("path", PAGES)
def test_page_has_no_serious_accessibility_fault_narrow_and_light_or_wide_and_dark(tab: Tab, path: str) -> None:
    page = tab(signed_in=path not in DOORS).open(path)
    settled(page, PAGES[path])
    page.evaluate(AXE)
    assert serious_faults(page) == []
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="dark")
    assert serious_faults(page) == []


def serious_faults(page: Page) -> list[tuple[str, list[str]]]:
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [
        (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/app/courses", "Go live or plan"),
        ("/app/courses/1", "Enter the live session"),
        ("/app/manage/2/live", "Go live"),
        ("/app/manage/1/schedule", "Schedule"),
        ("/app/manage/1/video", "Upload"),
        ("/app/courses/1/people", "Add"),
        ("/app/sessions", "Enter"),
        ("/app/sessions/5/attendance", "Download as CSV"),
        ("/app/sign-in", "Sign in"),
        ("/app/register", "Create account"),
    ],
)
def test_primary_action_is_visible_on_a_phone_without_scrolling(tab: Tab, path: str, action: str) -> None:
    page = tab(answers(count=6), signed_in=path not in DOORS).open(path)
    button = (
        page.locator("main")
        .get_by_role("button", name=action, exact=True)
        .or_(page.locator("main").get_by_role("link", name=action, exact=True))
    )
    expect(button.last).to_be_visible()
    box = button.last.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= NARROW["height"] - (0 if path in DOORS else 56), (
        "it lies under the ways at the lower edge"
    )


@pytest.mark.parametrize(
    "path", ["/app/courses/1", "/app/catalog", "/app/sessions", "/app/notifications", "/app/content/1", "/app/manage"]
)
def test_failure_is_said_in_words_and_trying_again_heals_it(tab: Tab, path: str) -> None:
    said = answers()
    broken = {
        key: (503, {"code": "unavailable", "detail": "The server is restarting. Try again in a moment."})
        if key[0] == "GET"
        else each
        for key, each in said.items()
    }
    pages = tab(broken)
    page = pages.open(path)
    expect(page.get_by_role("alert").get_by_text("The server is restarting")).to_be_visible()
    pages.answers = said
    page.get_by_role("button", name="Try again").click()
    settled(page, PAGES.get(path, "h1"))
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)


def test_what_is_not_there_and_an_address_that_leads_nowhere_say_so(tab: Tab) -> None:
    pages = tab()
    page = pages.open("/app/courses/99")
    expect(page.get_by_text("This course is not here")).to_be_visible()
    pages.open("/app/nowhere")
    expect(page.get_by_text("There is no such page")).to_be_visible()


def test_a_cut_connection_is_said_without_moving_the_page(tab: Tab) -> None:
    pages = tab()
    page = pages.open("/app/courses")
    settled(page, "main h2#taught")
    expect(page.locator(".connection")).to_contain_text("Reconnecting")
    pages.context.set_offline(True)
    expect(page.locator(".connection")).to_contain_text("You are offline")
    assert pages.shift() < MOST_SHIFT


def test_names_are_shown_as_they_are_and_never_run(tab: Tab) -> None:
    attack = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    said = answers(count=2)
    for body in (said["GET", "/courses/1"][1], *said["GET", "/courses/1/content"][1]):
        body["title"] = body["description"] = attack
    page = tab(said).open("/app/courses/1")
    expect(page.get_by_role("heading", level=1)).to_have_text(attack)
    assert page.title() != "run"
    assert page.locator("main img[src=x]").count() == 0
