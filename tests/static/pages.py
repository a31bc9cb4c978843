"""The pages without their server: files under the real content policy, answers written down here.

What a page shows depends on what the server says; here it says it at once, late, empty, long or not at all, so that
every state of every page can be looked at. Nothing leaves the machine: requests nobody has an answer for are listed.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize

ROOT = Path(__file__).resolve().parents[2]
LONG_NAME = "Wilhelmina Konstantinopolskaja-Featherstonehaugh von und zu Oberammergau-Partenkirchen"[:80]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
WIDE: ViewportSize = {"width": 1280, "height": 800}
NARROW: ViewportSize = {"width": 390, "height": 844}


class _Files(SimpleHTTPRequestHandler):
    """`/static/...` from the folder, the one page for everything else, both under the content policy."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript", ".woff2": "font/woff2"}

    def do_GET(self) -> None:
        if not self.path.startswith("/static/"):
            self.path = "/static/index.html"
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the browser says what is missing."""


@contextmanager
def static_files() -> Iterator[str]:
    """The address of a server of the files alone."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(ROOT)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Pages:
    """A browser tab whose server is a table of answers: `{(method, path): (status, body)}`."""

    def __init__(
        self, browser: Browser, origin: str, answers: dict[tuple[str, str], tuple[int, Any]], **look: Any
    ) -> None:
        self.context: BrowserContext = browser.new_context(
            locale="en-GB", timezone_id="Europe/Paris", reduced_motion="reduce", **look
        )
        self.origin, self.answers = origin, answers
        self.asked: list[tuple[str, str, str | None]] = []
        self.unanswered: list[str] = []
        self.faults: list[str] = []
        self.held: list[Route] | None = None
        self.context.route(
            re.compile(r"^https?://[^/]+/(?!static/)"), self._answer
        )  # files go past: asking here costs time
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "console", lambda said: self.faults.append(said.text) if "Content Security Policy" in said.text else None
        )
        self.page.add_init_script(MEASURE_SHIFT)

    def _answer(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        query = urlsplit(route.request.url).query
        if route.request.is_navigation_request():
            return route.continue_()
        if path.startswith("/socket.io/"):
            return route.abort()
        self.asked.append((route.request.method, path + (f"?{query}" if query else ""), route.request.post_data))
        if self.held is not None and path != "/auth/refresh":
            self.held.append(route)
            return None
        return self._give(route, path)

    def _give(self, route: Route, path: str) -> None:
        key = (route.request.method, path)
        if key not in self.answers:
            self.unanswered.append(f"{key[0]} {key[1]}")
        status, body = self.answers.get(key, (404, {"code": "not_found", "detail": "There is no such thing."}))
        if status == 0:
            return route.abort("connectionrefused")
        kind = "application/json" if status < 400 else "application/problem+json"
        return route.fulfill(status=status, content_type=kind, body=json.dumps(body) if status != 204 else "")

    def hold(self) -> None:
        """Keep answers back until `release`: the page is loading."""
        self.held = []

    def release(self) -> None:
        held, self.held = self.held or [], None
        for route in held:
            self._give(route, urlsplit(route.request.url).path)

    def signed_in(self) -> None:
        """The next page opened belongs to the person whom `/auth/refresh` answers."""
        me = json.dumps([{"id": "1", "name": "x", "email": "x@x", "role": "student"}])
        self.page.add_init_script(f"localStorage.setItem('lectern.sign_ins', '{me}')")

    def open(self, path: str) -> Page:
        self.page.goto(self.origin + path)
        return self.page

    def shift(self) -> float:
        """Cumulative layout shift since the page was opened."""
        return float(self.page.evaluate("window.layoutShift ?? 0"))

    def close(self) -> None:
        self.context.close()


MEASURE_SHIFT = """
window.layoutShift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.layoutShift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
