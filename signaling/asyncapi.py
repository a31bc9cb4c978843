"""The Socket.IO interface as AsyncAPI 3, from the same models that validate it.

Socket.IO in AsyncAPI's words: the server's address carries the path, the channel is the namespace, a message is an
event, an operation that we `receive` has the acknowledgement as its reply.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from server import VERSION
from server.http import problems
from signaling.protocol import WISHES
from signaling.protocol_facts import FACTS

ASYNCAPI = "3.0.0"


def document() -> dict[str, Any]:
    """The whole document; every event under its exact name."""
    schemas: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for name, wish in WISHES.items():
        messages[name] = _message(name, wish.about, wish.payload, schemas)
        answer = f"{name}.answer"
        messages[answer] = _message(answer, f"The acknowledgement of {name}.", wish.answer, schemas)
        operations[name] = {
            "action": "receive",
            "channel": {"$ref": "#/channels/live"},
            "summary": wish.about,
            "messages": [{"$ref": f"#/channels/live/messages/{name}"}],
            "reply": {
                "channel": {"$ref": "#/channels/live"},
                "messages": [
                    {"$ref": f"#/channels/live/messages/{answer}"},
                    {"$ref": "#/channels/live/messages/refusal"},
                ],
            },
            "x-who": wish.who,
            "x-durable": wish.is_durable,
        }
    for name, fact in FACTS.items():
        messages[name] = _message(name, fact.about, fact.payload, schemas)
        operations[name] = {
            "action": "send",
            "channel": {"$ref": "#/channels/live"},
            "summary": fact.about,
            "messages": [{"$ref": f"#/channels/live/messages/{name}"}],
        }
    messages["refusal"] = {"name": "refusal", "summary": "Any wish refused.", "payload": REFUSAL}
    return {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": "Lectern live classroom",
            "version": VERSION,
            "description": "Namespace /live for the official Socket.IO client. Connect with auth {token, "
            "notifications_after?}; a refused connect carries error.data.code.",
        },
        "servers": {"own": {"host": "localhost:8080", "pathname": "/socket.io/", "protocol": "socket.io"}},
        "channels": {
            "live": {
                "address": "/live",
                "description": "Every wish is acknowledged: {ok: true, ...} or {ok: false, error}.",
                "messages": messages,
            }
        },
        "operations": operations,
        "components": {"schemas": schemas},
    }


REFUSAL = {
    "type": "object",
    "required": ["ok", "error"],
    "properties": {"ok": {"const": False}, "error": problems.SCHEMA},
}


def _message(name: str, about: str, model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    for part, shape in schema.pop("$defs", {}).items():
        schemas[part] = shape
    schemas[model.__name__] = schema
    return {"name": name, "summary": about, "payload": {"$ref": f"#/components/schemas/{model.__name__}"}}
