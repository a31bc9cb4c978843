"""/docs: every operation and every event on one readable page, made from the two documents; no script needed."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from aiohttp import web

from server.http import service
from server.http.routes import Request, Routes, Who

route = Routes("service")
STYLE = "/static/css/docs.css"


@route.get("/docs", who=Who.ANYONE, answers=str, produces="text/html")
async def docs(request: Request) -> web.Response:
    """The interfaces for people: REST operations and Socket.IO events."""
    documents = request.app[service.DOCUMENTS]
    page = _page(documents.rest, documents.events)
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-cache",
    }
    return web.Response(text=page, content_type="text/html", charset="utf-8", headers=headers)


def _page(rest: dict[str, Any], events: dict[str, Any]) -> str:
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in rest["paths"].items()
        for method, operation in methods.items()
    )
    channel = events["channels"]["live"]["messages"]
    told = "".join(_event(name, operation, channel) for name, operation in events["operations"].items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Lectern: interfaces</title>'
        f'<link rel="stylesheet" href="{STYLE}"></head><body><main><h1>Lectern: interfaces</h1>'
        '<p>For programs: <a href="/openapi.json">OpenAPI 3.1</a>, <a href="/asyncapi.json">AsyncAPI 3</a>.</p>'
        f'<h2 id="rest">REST</h2>{operations}'
        '<h2 id="events">Socket.IO, namespace <code>/live</code></h2>'
        f"<p>{escape(events['info']['description'])}</p>{told}"
        f"<h2 id='shapes'>Shapes</h2>{_shapes(rest)}{_shapes(events)}</main></body></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    answers = "".join(
        f"<li><code>{escape(status)}</code> {escape(answer['description'])}</li>"
        for status, answer in operation["responses"].items()
    )
    body = operation.get("requestBody", {}).get("content", {})
    sent = "".join(f"<p>Body: {escape(kind)}, {_reference(shape['schema'])}</p>" for kind, shape in body.items())
    asked = "".join(
        f"<li><code>{escape(p['name'])}</code> ({escape(p['in'])})</li>" for p in operation.get("parameters", [])
    )
    return (
        f"<details><summary><b>{escape(method.upper())}</b> <code>{escape(path)}</code> "
        f"{escape(operation['summary'])}</summary><p>Who: {escape(operation['x-who'])}</p>"
        f"{f'<ul>{asked}</ul>' if asked else ''}{sent}<ul>{answers}</ul></details>"
    )


def _event(name: str, operation: dict[str, Any], messages: dict[str, Any]) -> str:
    direction = "client → server" if operation["action"] == "receive" else "server → client"
    who = f"<p>Who: {escape(operation['x-who'])}</p>" if "x-who" in operation else ""
    reply = messages.get(f"{name}.answer")
    answered = f"<p>Acknowledgement: {_reference(reply['payload'])}</p>" if reply else ""
    return (
        f"<details><summary><code>{escape(name)}</code> <i>{direction}</i> {escape(operation['summary'])}</summary>"
        f"{who}<p>Payload: {_reference(messages[name]['payload'])}</p>{answered}</details>"
    )


def _reference(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f'<a href="#shape-{escape(name)}">{escape(name)}</a>'
    return f"<code>{escape(json.dumps(schema)[:200])}</code>"


def _shapes(document: dict[str, Any]) -> str:
    return "".join(
        f'<details id="shape-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<pre>{escape(json.dumps(schema, indent=1))}</pre></details>"
        for name, schema in sorted(document["components"]["schemas"].items())
    )
