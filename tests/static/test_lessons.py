"""An instructor's lessons: put in order by mouse and by keys, found by state, tried again, captioned."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.static.pages import NARROW, WIDE, Pages
from tests.static.world import answers

Tab = Callable[..., Pages]
pytestmark = pytest.mark.browser
ORDER = "/courses/1/content/order"


@pytest.fixture
def lessons(tab: Tab) -> tuple[Pages, Page]:
    """Six lessons of Ana's: the third is being made, the fifth failed."""
    said = answers(count=6)
    said["PUT", ORDER] = (200, [])
    said["POST", "/content/5/retry"] = (200, {})
    pages = tab(said, viewport=WIDE)
    page = pages.open("/app/courses/1")
    expect(page.locator(".lesson")).to_have_count(6)
    return pages, page


def sent_orders(pages: Pages) -> list[list[int]]:
    return [json.loads(body or "")["ids"] for method, path, body in pages.asked if (method, path) == ("PUT", ORDER)]


def places(page: Page) -> list[int]:
    ids = page.locator(".grip").evaluate_all("(grips) => grips.map((each) => Number(each.id.split('-')[1]))")
    return [int(each) for each in ids]


def test_arrow_keys_on_the_handle_move_a_lesson_and_keep_the_focus(lessons: tuple[Pages, Page]) -> None:
    pages, page = lessons
    page.locator("#grip-1").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#grip-1")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("status").filter(has_text="is now 3 of 6")).to_have_count(1)
    assert places(page) == [2, 3, 1, 4, 5, 6]
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")  # it is the first already
    assert places(page) == [1, 2, 3, 4, 5, 6]
    page.wait_for_timeout(0)
    assert sent_orders(pages)[-1] == [1, 2, 3, 4, 5, 6]


def test_a_lesson_is_dragged_to_its_place_and_escape_gives_up(lessons: tuple[Pages, Page]) -> None:
    pages, page = lessons
    rows = page.locator(".lesson")

    def hold(number: int, over: int) -> None:
        page.locator(f"#grip-{number}").hover()
        page.mouse.down()
        box = rows.nth(over).bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 20, box["y"] + box["height"] - 4, steps=4)

    hold(1, 3)
    expect(page.locator(".dragged #grip-1")).to_be_visible()
    page.keyboard.press("Escape")
    page.mouse.up()
    assert places(page) == [1, 2, 3, 4, 5, 6]
    hold(1, 3)
    with page.expect_response(f"**{ORDER}"):
        page.mouse.up()
    assert places(page) == [2, 3, 4, 1, 5, 6]
    hold(6, 0)
    with page.expect_response(f"**{ORDER}"):
        page.mouse.up()
    assert places(page) == [2, 6, 3, 4, 1, 5]
    assert sent_orders(pages) == [[2, 3, 4, 1, 5, 6], [2, 6, 3, 4, 1, 5]]


def test_a_thumb_moves_a_lesson_on_a_phone(tab: Tab) -> None:
    said = answers(count=4)
    said["PUT", ORDER] = (200, [])
    pages = tab(said, viewport=NARROW, has_touch=True)
    page = pages.open("/app/courses/1")
    rows = page.locator(".lesson")
    expect(rows).to_have_count(4)
    for tab_ in page.locator(".tabs a").all():  # none is behind the edge
        box = tab_.bounding_box()
        assert box is not None and box["x"] + box["width"] <= NARROW["width"]
    page.locator("#grip-1").scroll_into_view_if_needed()
    grip, third = page.locator("#grip-1").bounding_box(), rows.nth(2).bounding_box()
    assert grip is not None and third is not None
    finger = page.context.new_cdp_session(page)
    x, start, end = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2, third["y"] + third["height"] - 4
    for kind, y in (("touchStart", start), ("touchMove", (start + end) / 2), ("touchMove", end), ("touchEnd", None)):
        points = [] if y is None else [{"x": x, "y": y}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_function("document.querySelector('.lesson .grip').id === 'grip-2'")
    assert places(page) == [2, 3, 1, 4]
    assert sent_orders(pages) == [[2, 3, 1, 4]]


def test_an_upload_that_this_page_does_not_send_is_not_said_to_be_moving(tab: Tab) -> None:
    said = answers(count=2)
    status, listed = said["GET", "/courses/1/content"]
    arriving = {"upload_status": "uploading", "file_size": 100 * 1_048_576, "bytes_received": 25 * 1_048_576}
    said["GET", "/courses/1/content"] = (status, [listed[0], {**listed[1], **arriving}])
    row = tab(said).open("/app/courses/1").locator(".lesson").nth(1)
    expect(row).to_contain_text("Sent from another page, or left unfinished · 25 MB of 100 MB")


def test_the_players_bar_fits_on_a_phone_also_with_captions_and_hours(tab: Tab) -> None:
    said = answers()
    status, lesson = said["GET", "/content/1"]
    tracks = [{"lang": "pt-BR", "label": "Português (Brasil)", "url": "/media/c?t=x"}]
    said["GET", "/content/1"] = (status, {**lesson, "captions": tracks, "duration_seconds": 7199.0})
    page = tab(said, viewport=NARROW).open("/app/content/1")
    box = page.get_by_role("button", name="Fill the screen").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= NARROW["width"]
    choice, mark = page.get_by_role("combobox", name="Captions"), page.locator(".captions-mark")
    expect(mark).to_have_text("CC")  # a language's name would be cut off
    assert mark.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    choice.select_option(label="Português (Brasil)")
    expect(mark).to_have_attribute("data-on", "true")


def test_a_deleted_comment_is_a_place_for_its_answers_and_nothing_else(tab: Tab) -> None:
    said = answers()
    status, (first, *others) = said["GET", "/content/1/comments"]
    said["GET", "/content/1/comments"] = (status, [{**first, "body": "", "deleted": True}, *others])
    comment = tab(said).open("/app/content/1").locator(".comment").first
    expect(comment).to_have_text("A comment that was deleted")
    expect(comment.get_by_role("button")).to_have_count(0)


def test_lessons_are_found_by_state_and_sorted_and_a_failed_one_is_tried_again(lessons: tuple[Pages, Page]) -> None:
    pages, page = lessons
    page.get_by_label("Show").select_option(label="Failed")
    expect(page.locator(".lesson")).to_have_count(1)
    expect(page.locator(".lesson")).to_contain_text("What is inside the file is not what its name says")
    expect(page.locator(".grip")).to_have_count(0)
    with page.expect_response("**/content/5/retry"):
        page.get_by_role("button", name="Try again").click()
    page.get_by_label("Show").select_option(label="Uploading")
    expect(page.get_by_text("No lesson is in that state")).to_be_visible()
    page.get_by_label("Show").select_option(label="All lessons")
    page.get_by_label("Sort by").select_option(label="Title")
    expect(page.locator(".lesson .item-title").first).to_contain_text("Colour, measured")
    assert pages.faults == []


def test_captions_are_sent_from_the_lessons_menu_and_what_is_wrong_is_said(lessons: tuple[Pages, Page]) -> None:
    pages, page = lessons
    refusal = {"code": "content_mismatch", "detail": "Line 3 of the caption file ends before it begins."}
    pages.answers["PUT", "/content/2/captions/de"] = (422, refusal)
    page.get_by_role("button", name="More about Two slits").click()
    page.get_by_role("button", name="Captions").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("There are none yet")
    dialog.get_by_role("button", name="Upload").click()
    expect(dialog.get_by_role("alert").filter(has_text="Choose a WebVTT file")).to_be_visible()
    dialog.get_by_label("Language").select_option("de")
    file = {"name": "a.vtt", "mimeType": "text/vtt", "buffer": b"WEBVTT"}
    dialog.get_by_label("Caption file").set_input_files(file)  # type: ignore[arg-type]
    dialog.get_by_role("button", name="Upload").click()
    expect(dialog.get_by_text("ends before it begins")).to_be_visible()
    track = {"lang": "de", "label": "Deutsch", "url": "/media/c?t=x"}
    pages.answers["PUT", "/content/2/captions/de"] = (200, {"captions": [track]})
    dialog.get_by_role("button", name="Upload").click()
    expect(dialog.get_by_role("button", name="Remove the captions in Deutsch")).to_be_visible()
    pages.answers["DELETE", "/content/2/captions/de"] = (204, None)
    dialog.get_by_role("button", name="Remove the captions in Deutsch").click()
    expect(dialog).to_contain_text("There are none yet")
