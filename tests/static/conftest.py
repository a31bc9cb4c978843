"""A browser for the pages' tests. It lives for one module: its loop must not run beside those of other tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.static.pages import NARROW, Pages, static_files
from tests.static.world import Answers, answers


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with static_files() as address:
        yield address


@pytest.fixture
def tab(browser: Browser, origin: str) -> Iterator[Callable[..., Pages]]:
    """`tab(answers=..., viewport=..., color_scheme=...)`: a browser profile of its own, closed afterwards."""
    opened: list[Pages] = []

    def open_tab(said: Answers | None = None, *, signed_in: bool = True, **look: Any) -> Pages:
        pages = Pages(browser, origin, answers() if said is None else said, **{"viewport": NARROW, **look})
        if signed_in:
            pages.signed_in()
        opened.append(pages)
        return pages

    yield open_tab
    for pages in opened:
        pages.close()
