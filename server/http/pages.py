"""The browser's files: one page for every address under /app, its modules and sheets under /static."""

from __future__ import annotations

from html import escape
from pathlib import Path

from aiohttp import web

from server.http.keys import SETTINGS
from server.http.middleware import ORIGINS

PREFIX_META = '<meta name="lectern-api-prefix" content="">'
STATIC = Path(__file__).resolve().parents[2] / "static"


def content_security_policy(request: web.Request) -> str:
    """Nothing but our own files; sockets to our own host (CSP level 3 lets 'self' cover ws only in some browsers)."""
    own = request.app[ORIGINS].own_origin(request)
    socket = own.replace("http", "ws", 1)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        f"media-src 'self' blob:; font-src 'self'; connect-src 'self' {socket}; worker-src 'self'; "
        "manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


async def page(request: web.Request) -> web.StreamResponse:
    """The one page; the router in it reads the address."""
    headers = {
        "Content-Security-Policy": content_security_policy(request),
        "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self)",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }
    if request.app[SETTINGS].is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    prefix = request.app[SETTINGS].api_prefix
    if not prefix:
        return web.FileResponse(STATIC / "index.html", headers=headers)
    told = PREFIX_META.replace('""', f'"{escape(prefix, quote=True)}"')
    page = (STATIC / "index.html").read_text().replace(PREFIX_META, told)
    return web.Response(text=page, content_type="text/html", charset="utf-8", headers=headers)


async def no_cache(request: web.Request, response: web.StreamResponse) -> None:
    """Our modules are revalidated, so that a deploy is seen at the next load."""
    if request.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-cache")


def add_pages(app: web.Application) -> None:
    app.router.add_get("/", page)
    app.router.add_get("/app", page)
    app.router.add_get(r"/app/{rest:.*}", page)
    app.router.add_static("/static/", STATIC)
    app.on_response_prepare.append(no_cache)
